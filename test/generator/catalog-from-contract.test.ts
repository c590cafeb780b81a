import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from '@babel/parser'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { parseCatalog } from '../../src/catalog/parse-catalog.ts'
import { isRowcastError } from '../../src/errors.ts'
import { catalogFromContract } from '../../src/generator/catalog-from-contract.ts'
import { emitCatalog } from '../../src/generator/emit-catalog.ts'
import { comparableCatalog, dmmfCatalog } from './contract-oracle.ts'
import { outline } from './outline.ts'

const CONTRACTS = join(import.meta.dirname, '../contracts')
const names = readdirSync(CONTRACTS)
const ofPrisma7 = names.filter((name) => existsSync(join(CONTRACTS, name, 'schema.prisma')))

async function readContract(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(CONTRACTS, name, 'contract.json'), 'utf8'))
}

function readText(name: string, file: string): Promise<string> {
  return readFile(join(CONTRACTS, name, file), 'utf8')
}

describe('a schema that both read', () => {
  it.each(ofPrisma7)('%s: the contract gives the catalog that the DMMF gives', async (name) => {
    const schema = await readText(name, 'schema.prisma')
    const { catalog, leftOut } = catalogFromContract(await readContract(name), schema)
    expect(comparableCatalog(catalog)).toStrictEqual(comparableCatalog(await dmmfCatalog(schema)))
    expect(leftOut).toEqual([])
    expect(parseCatalog(catalog)).toBe(catalog)
  })

  it('has no comments without the schema, and its fields by the alphabet', async () => {
    const { catalog } = catalogFromContract(await readContract('secrets'), '')
    const fields = Object.values(catalog.models).flatMap((model) => model.fields)
    expect(fields.every(({ documentation, isOmitted }) => documentation === null && !isOmitted)).toBe(true)
    const [first] = Object.values(catalog.models)
    const ownNames = first?.fields.map(({ name }) => name) ?? []
    expect(ownNames).toEqual([...ownNames].sort())
  })
})

test('a contract of Prisma 8 alone: enums of texts, variants, value objects, explicit many-to-many, namespaces', async () => {
  const schema = await readText('prisma8', 'contract.prisma')
  const { catalog, leftOut } = catalogFromContract(await readContract('prisma8'), schema)
  expect(outline(catalog)).toMatchInlineSnapshot(`
    "model Lead = crm.Lead key(id)
      id Int
      name String
    model Membership = public.Membership key(userId, teamId) unique(teamId, userId)
      userId Int
      teamId Int
      user -> User "MembershipToUser" (userId) -> (id)
      team -> Team "MembershipToTeam" (teamId) -> (id)
    model Post = public.Post key(id)
      id String default
      authorId Int
      otherId Int?
      author -> User "PostToUser" (authorId) -> (id)
      other -> User? "PostToUser_Post_otherId" (otherId) -> (id)
    model Profile = public.profiles key(id) unique(userId)
      id Int
      userId/user_id Int unique
      user -> User "ProfileToUser" (userId) -> (id)
    model Task = public.Task key(id)
      id Int
      title String
      type String
    model Team = public.Team key(id)
      id Int
      members -> Membership[] "MembershipToTeam"
    model Thing = auth.Thing key(id)
      id Int
      mood enum Mood?
      moods enum Mood[]
    model User = public.User key(id) unique(email)
      id Int default
      email String @VarChar unique
      kind enum Kind
      kinds enum Kind[]
      address Json?
      tags String[]
      otags String[]
      big BigInt
      ub Decimal @Decimal
      dec Decimal @Decimal
      num Decimal @Decimal
      ts DateTime
      tss DateTime
      int8n BigInt
      createdAt DateTime @Timestamptz default
      updatedAt DateTime @Timestamptz default
      posts -> Post[] "PostToUser"
      others -> Post[] "PostToUser_Post_otherId"
      profile -> Profile? "ProfileToUser"
      memberships -> Membership[] "MembershipToUser"
    model Users2 = crm.Users2 key(id)
      id Int
    enum Kind = public.Kind: admin user
    enum Mood = auth.mood_t: happy sad mood"
  `)
  expect(leftOut).toMatchInlineSnapshot(`
    [
      "Bug: a variant of Task, whose rows are those of two models",
      "Feature: a variant of Task, whose rows are those of two models",
      "Team.users: it goes through Membership, whose own relations say the same",
    ]
  `)
})

describe('a relation by a column that is not read falls away, with both of its ends and nothing else', () => {
  const relationsOf = (catalog: ModelCatalog) =>
    Object.values(catalog.models).flatMap(({ name, relations }) =>
      relations.map((relation) => `${name}.${relation.name}`),
    )

  it.each([
    ['that it holds', 'profiles', 'user_id', ['Profile.user', 'User.profile']],
    ['that others refer to', 'Team', 'id', ['Membership.team', 'Team.members']],
  ])('%s', async (_, table, column, gone) => {
    const contract = (await readContract('prisma8')) as PublicTables
    const before = catalogFromContract(contract, '')
    const stored = contract.storage.namespaces.public.entries.table[table]?.columns[column]
    Object.assign(stored ?? {}, { nativeType: 'vector' })
    const { catalog, leftOut } = catalogFromContract(contract, '')
    expect(relationsOf(catalog)).toEqual(relationsOf(before.catalog).filter((name) => !gone.includes(name)))
    const said = leftOut.filter((line) => !before.leftOut.includes(line))
    expect(said).toEqual([
      expect.stringMatching(/its column is of type vector, which is not read$/),
      ...gone.map((name) => `${name}: it goes by a column that is not read`),
    ])
    expect(parseCatalog(catalog)).toBe(catalog)
  })

  it('of a join table', async () => {
    const schema = await readText('sample', 'schema.prisma')
    const contract = (await readContract('sample')) as PublicTables
    const before = catalogFromContract(contract, schema).catalog
    const [joined] = before.joinTables
    const table = before.models[joined?.modelA ?? '']?.table ?? ''
    Object.assign(contract.storage.namespaces.public.entries.table[table]?.columns['id'] ?? {}, {
      nativeType: 'vector',
    })
    const { catalog } = catalogFromContract(contract, schema)
    expect(joined).toBeDefined()
    expect(catalog.joinTables).not.toContainEqual(joined)
    expect(Object.values(catalog.models).flatMap((model) => model.relations)).not.toContainEqual(
      expect.objectContaining({ relationName: joined?.relationName }),
    )
  })
})

interface PublicTables {
  readonly storage: {
    readonly namespaces: {
      readonly public: {
        readonly entries: {
          readonly table: Readonly<Record<string, { readonly columns: Readonly<Record<string, object>> }>>
        }
      }
    }
  }
}

describe('a marker at what the contract does not have is refused', () => {
  it.each([
    'model Gone {\n  /// @rowcast.omit\n  title String\n}',
    '/// @rowcast.omit\nmodel Gone {\n  title String\n}',
    'model Note {\n  title\n    String /// @rowcast.omit\n}',
    'model Note {\n  /// @rowcast.omit\n  newer String\n}',
    'enum State {\n  gone /// @rowcast.name("G")\n}',
  ])('%j', async (schema) => {
    const contract = await readContract('notes')
    expect(() => catalogFromContract(contract, schema)).toThrow(
      expect.objectContaining({ code: 'GENERATOR_BAD_MARKER' }),
    )
  })

  it('and not at what is left out', async () => {
    const schema =
      'model Bug {\n  /// @rowcast.omit\n  severity String\n}\nmodel Team {\n  /// @rowcast.omit\n  users User[]\n}'
    expect(catalogFromContract(await readContract('prisma8'), schema).catalog.models['Bug']).toBeUndefined()
  })
})

describe('what is no contract of ours', () => {
  const change = async (path: readonly string[], value: unknown) => {
    const contract = (await readContract('notes')) as Record<string, unknown>
    const parent = path
      .slice(0, -1)
      .reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, contract)
    parent[path.at(-1) ?? ''] = value
    return contract
  }
  const relation = ['domain', 'namespaces', 'public', 'models', 'Note', 'relations', 'author']

  it.each([
    ['GENERATOR_CONTRACT_UNSUPPORTED', ['schemaVersion'], '2'],
    ['GENERATOR_BAD_CONTRACT', ['schemaVersion'], 1],
    ['GENERATOR_CONTRACT_UNSUPPORTED', ['targetFamily'], 'mongo'],
    ['GENERATOR_CONTRACT_UNSUPPORTED', ['target'], 'sqlite'],
    ['GENERATOR_CONTRACT_UNSUPPORTED', ['storage', 'storageHash'], 'sha1:00'],
    ['GENERATOR_CONTRACT_UNSUPPORTED', [...relation, 'cardinality'], 'N:0'],
    ['GENERATOR_BAD_CONTRACT', [...relation, 'on'], null],
    ['GENERATOR_BAD_CONTRACT', ['storage', 'namespaces', 'public', 'entries', 'table', 'notes'], undefined],
    ['GENERATOR_BAD_CONTRACT', ['storage', 'namespaces'], []],
  ] as const)('%s: %j is %j', async (code, path, value) => {
    const contract = await change(path, value)
    expect(() => catalogFromContract(contract, '')).toThrow(expect.objectContaining({ code }))
  })

  it.each([null, [], 'contract', 7])('%j', (document) => {
    expect(() => catalogFromContract(document, '')).toThrow(
      expect.objectContaining({ code: 'GENERATOR_BAD_CONTRACT' }),
    )
  })

  it('of two namespaces with a model of one name', async () => {
    const contract = (await readContract('prisma8')) as {
      domain: { namespaces: Record<string, { models: Record<string, unknown> }> }
    }
    const { crm, auth } = contract.domain.namespaces
    Object.assign(crm?.models ?? {}, { Thing: auth?.models['Thing'] })
    expect(() => catalogFromContract(contract, '')).toThrow(
      expect.objectContaining({ code: 'GENERATOR_CONTRACT_UNSUPPORTED' }),
    )
  })

  it('has no code in the file, whatever a contract calls things', async () => {
    const text = await readText('notes', 'contract.json')
    for (const name of ['Note', 'title', 'author', 'State', 'draft', 'id']) {
      for (const hostile of HOSTILE) {
        const document: unknown = JSON.parse(text.replaceAll(`"${name}"`, JSON.stringify(hostile)))
        const { catalog, storageHash } = catalogFromContract(document, '')
        expectDataAlone(emitCatalog(catalog, { clientImport: null, origin: storageHash }))
      }
    }
  })

  it('whatever is broken in it, is a catalog or a typed error', async () => {
    const contracts = await Promise.all(['notes', 'prisma8', 'everything'].map((name) => readContract(name)))
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(...HOSTILE))
    fc.assert(
      fc.property(
        fc.constantFrom(...contracts),
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        value,
        (contract, path, put) => {
          const broken = structuredClone(contract)
          breakAt(broken, path, put)
          try {
            const { catalog, storageHash } = catalogFromContract(broken, '')
            parseCatalog(catalog)
            expectDataAlone(emitCatalog(catalog, { clientImport: null, origin: storageHash }))
          } catch (error) {
            if (!isRowcastError(error) || !error.code.startsWith('GENERATOR_')) throw error
          }
        },
      ),
      { numRuns: 100 },
    )
  })
})

const HOSTILE = [
  ...[
    '__proto__',
    "'}; import('evil'); ({'",
    'a\u2028b',
    '`$' + '{x}`',
    '*/ evil() /*',
    '\n}',
    'constructor',
    ' ',
  ],
]

/** Types and one constant: what a contract says is text in it, and never code. */
function expectDataAlone(text: string): void {
  const { program } = parse(text, { sourceType: 'module', plugins: ['typescript'] })
  expect(program.body.map(({ type }) => type)).toEqual([
    'ImportDeclaration',
    ...Array.from({ length: 4 }, () => 'ExportNamedDeclaration'),
  ])
}

/** Puts the value in the place of a member, or a member's name, somewhere below. */
function breakAt(root: unknown, path: readonly number[], value: unknown): void {
  let at = root as Record<string, unknown>
  for (const step of path) {
    const keys = Object.keys(at)
    const key = keys[step % Math.max(1, keys.length)]
    if (key === undefined) return
    const next = at[key]
    const isLast = step === path.at(-1)
    if (!isLast && typeof next === 'object' && next !== null) {
      at = next as Record<string, unknown>
      continue
    }
    if (typeof value === 'string' && step % 2 === 0 && !Array.isArray(at)) {
      delete at[key]
      Object.defineProperty(at, value, { value: next, enumerable: true, configurable: true, writable: true })
    } else at[key] = value
    return
  }
}
