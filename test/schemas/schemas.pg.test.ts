/**
 * Schemas of many kinds from `prisma generate` to rows: plan, enable and serve, and what subscriptions and queries
 * bring compared with Prisma Client and with each other. The table of docs/strangers.md.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery } from 'graphql'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { Config } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { visibleFields } from '../../src/graphql/field-type.ts'
import { omittedNames } from '../../src/graphql/policy/secret-fields.ts'
import { modelNames } from '../../src/graphql/schema-names.ts'
import { shownByPrisma } from '../../src/graphql/shown-models.ts'
import type { LogFields } from '../../src/logger.ts'
import { createService, type Service } from '../../src/service.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { readDatabaseFacts } from '../../src/source/facts/database-facts.ts'
import { createSetupGoal } from '../../src/source/setup/setup-goal.ts'
import { planSetup } from '../../src/source/setup/setup-plan.ts'
import { postGraphql } from '../server/server-fixture.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { expectSameRow } from '../support/expect-same-row.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { generateSchemaProject, insertRow, type SchemaProject } from '../support/schema-project.ts'
import { createWsClient } from '../support/ws-client.ts'

/** A service on a database with the schema's tables, and everything it logged. */
interface Running {
  readonly config: Config
  readonly service: Service
  readonly url: string
  readonly database: TestDatabase
  readonly warnings: readonly string[]
}

async function serve(
  { catalog, createPrisma }: SchemaProject,
  database: TestDatabase,
  more: { readonly models?: object; readonly prisma?: object } = {},
): Promise<Running> {
  const { models, prisma = {} } = more
  const file = {
    ...{ catalog, slot: slotOf(database), port: 0, graphiql: true, livePage: false, models },
    createPrisma: (url: string) => createPrisma(url, prisma),
  }
  const config = resolveConfig(file, { DATABASE_URL: database.url })
  const warnings: string[] = []
  const note = (message: string, fields: LogFields = {}) =>
    warnings.push(JSON.stringify({ message, ...fields }))
  const nothing = () => undefined
  const logger = { debug: nothing, info: nothing, warn: note, error: note }
  const service = await createService(config, { logger })
  const { url } = await service.start()
  onTestFinished(() => service.stop())
  await service.rowcast.ready()
  return { config: shownByPrisma(config, service.prisma), service, url, database, warnings }
}

/** What `plan` would write and `enable` does: the second time nothing is left to do. */
async function expectPlanned({ config, service, database }: Running): Promise<void> {
  const models = Object.entries(config.models).flatMap(([name, options]) => {
    const spec: ModelSpec | undefined = config.catalog.models[name]
    return spec === undefined || options.live === false ? [] : [{ spec, ...options }]
  })
  const goal = createSetupGoal({ ...config, models, schema: 'public' })
  const facts = await withDatabaseSession(database.target, (sql) =>
    readDatabaseFacts(sql, goal.tables, goal.publication, goal.slot),
  )
  expect(planSetup(facts, goal)).toMatchObject({ steps: [], problems: [] })
  expect(await service.rowcast.enable()).toEqual([])
}

/** The models that have a row of their own now, each compared on the way. */
async function compareRows(running: Running, names: readonly string[]): Promise<readonly string[]> {
  const { config, service, url, database } = running
  const compared: string[] = []
  const client = createWsClient(url)
  for (const name of names) {
    const spec = config.catalog.models[name] as ModelSpec
    const { many, changed, fields } = modelNames(config.catalog, name)
    const shown = visibleFields(spec, omittedNames(spec, config.models[name] ?? {}))
    const selection = shown.map((field) => fields.get(field.name)).join(' ')
    const changes = service.rowcast.subscribe(name)
    const live = client.subscribe<Record<string, { new: object }>>(
      `subscription { ${changed} { ... on ${modelNames(config.catalog, name).byAction.INSERT} { new { ${selection} } } } }`,
    )
    await expect.poll(() => service.rowcast.status().subscriptions.get(name)).toBe(2)
    if (!(await insertRow(database, spec))) throw new Error(`Model ${name} has no table.`)
    const delegate = Reflect.get(service.prisma, name.charAt(0).toLowerCase() + name.slice(1)) as Delegate
    const { value: change } = await changes.next()
    expectSameRow(change.new as object, (await delegate.findFirst()) as object)
    const { body } = await postGraphql(url, `{ ${many} { ${selection} } }`)
    expect(body['errors']).toBeUndefined()
    const [row] = (body['data'] as Record<string, object[]>)[many] ?? []
    expect((await live.nextData())[changed]?.new).toEqual(row)
    live.unsubscribe()
    await changes.return?.()
    compared.push(name)
  }
  await client.close()
  return compared
}

interface Delegate {
  findFirst(): Promise<object | null>
}

const FOLDER = import.meta.dirname

async function openSchema(name: string, schemas: readonly string[] = []) {
  const folder = join(FOLDER, name)
  const project = await generateSchemaProject(name, { folder }, schemas)
  const database = await openDatabase()
  onTestFinished(() => database[Symbol.asyncDispose]())
  await database.query(await readFile(join(folder, 'tables.sql'), 'utf8'))
  return { project, database }
}

const introspect = async (url: string) => {
  const { body } = await postGraphql(url, getIntrospectionQuery())
  return buildClientSchema(body['data'] as IntrospectionQuery)
}

describe('schemas of many kinds', () => {
  it.each([
    ['odd-names', [], 10],
    ['keys-and-maps', [], 5],
    ['two-schemas', ['auth', 'shop'], 3],
  ] as const)('%s', async (name, schemas, count) => {
    const { project, database } = await openSchema(name, schemas)
    const running = await serve(project, database)
    await expectPlanned(running)
    expect(await compareRows(running, Object.keys(running.config.models))).toHaveLength(count)
    expect(running.warnings).toEqual([])
  })

  it('views: what cannot be live is left out, and said', async () => {
    const { project, database } = await openSchema('views')
    const running = await serve(project, database, { models: { '*': {} } })
    await expectPlanned(running)
    expect(await compareRows(running, ['Player'])).toEqual(['Player'])
    const said = running.warnings.filter((line) => /SOURCE_TABLE_NOT_REPLICABLE|CATALOG_DRIFT/.test(line))
    expect(said.map((line) => /Model (\w+)|model (\w+)/.exec(line)?.slice(1).join('')).sort()).toEqual([
      ...['Best', 'Later', 'Rank', 'Scratch'],
    ])
    expect(running.service.rowcast.status()).toMatchObject({ isReady: true, drifted: [{ model: 'Later' }] })
    await database.query('REFRESH MATERIALIZED VIEW rank')
    const { body } = await postGraphql(running.url, '{ ranks { score } bests { name } }')
    expect(body).toEqual({ data: { ranks: [{ score: 7 }], bests: [{ name: 'text ☃' }] } })
    const client = createWsClient(running.url)
    onTestFinished(() => client.close())
    const refused = await client.subscribe('subscription { rankChanged { action } }').next()
    expect(refused.errors?.[0]).toMatchObject({
      message: 'Model Rank exists, but is not live.',
      extensions: { code: 'CATALOG_MODEL_NOT_REGISTERED' },
    })
    // The one model that brought changes: those that are left out make nobody ready.
    await database.query(
      `ALTER TABLE "Player" RENAME score TO points; INSERT INTO "Player" (name) VALUES ('n')`,
    )
    const drifted = () => running.service.rowcast.status().drifted.map(({ model }) => model)
    await expect.poll(drifted).toContain('Player')
    expect(running.service.rowcast.status().isReady).toBe(false)
  })

  it('views: one that is named is an error', async () => {
    const { project, database } = await openSchema('views')
    const config = resolveConfig(
      { ...project, models: { '*': {}, Rank: {} }, slot: slotOf(database) },
      { DATABASE_URL: database.url },
    )
    const silent = { debug() {}, info() {}, warn() {}, error() {} }
    const { rowcast, prisma } = await createService(config, { logger: silent })
    await expect(rowcast.enable()).rejects.toMatchObject({ code: 'SOURCE_TABLE_NOT_REPLICABLE' })
    await prisma.$disconnect()
  })

  it('secrets: are neither in the schema nor in changes, and a model of nothing else is left out', async () => {
    const { project, database } = await openSchema('secrets')
    const running = await serve(project, database)
    expect(running.config.leftOut).toEqual(['Vault'])
    expect(await compareRows(running, Object.keys(running.config.models))).toEqual([
      'ApiKey',
      'Member',
      'Password',
    ])
    expect(running.warnings.filter((line) => line.includes('Vault'))).toHaveLength(1)
    const schema = await introspect(running.url)
    const names = Object.values(schema.getTypeMap()).flatMap((type) =>
      'getFields' in type ? Object.keys(type.getFields()) : [],
    )
    const secrets = ['passwordHash', 'backupCodes', 'hash', 'keyHash', 'secret']
    expect(names.filter((each) => secrets.includes(each))).toEqual([])
    expect(names).toEqual(expect.arrayContaining(['tokenUsage', 'accessTokenId', 'token_type', 'prefix']))
  })

  it('a client with an omit: what its rows do not have is in no schema, no change and no filter', async () => {
    const { project, database } = await openSchema('secrets')
    const omit = { member: { internalNote: true, email: true }, password: { memberId: true } }
    const rows = ({ client }: { client?: string }) =>
      client === 'all' ? 'all' : { internalNote: { startsWith: 'text' } }
    const models = { '*': { live: true }, Member: { rows } }
    const running = await serve(project, database, { prisma: { omit }, models })
    expect(running.config.leftOut).toEqual(['Vault', 'Password'])
    // Compared with Prisma Client on the way; the policy has seen the field that nobody else sees.
    expect(await compareRows(running, ['Member', 'ApiKey'])).toEqual(['Member', 'ApiKey'])
    const schema = await introspect(running.url)
    const fieldsOf = (name: string) => {
      const type = schema.getType(name)
      return type !== undefined && 'getFields' in type ? Object.keys(type.getFields()) : []
    }
    expect(fieldsOf('Member').sort()).toEqual(['accessTokenId', 'id', 'keys', 'tokenUsage'])
    expect(fieldsOf('MemberWhere')).not.toContain('internalNote')
    expect(fieldsOf('MemberOld')).not.toContain('email')
    expect(schema.getType('Password')).toBeUndefined()
    const changes = running.service.rowcast.subscribe('Member')
    await database.query(`UPDATE "Member" SET email = 'a@b', "accessTokenId" = 'x'`)
    const { value: change } = await changes.next()
    expect(change).toMatchObject({ action: 'UPDATE', changed: ['accessTokenId'] })
    expect(Object.keys(change.old ?? {})).not.toContain('email')
  })

  it('300 models', async () => {
    const count = 300
    const models = Array.from({ length: count }, (_, index) => index)
    const fields = (index: number) => `id Int @id\n  nextId Int\n  text String\n  at DateTime
  next Model${(index + 1) % count} @relation("r${index}", fields: [nextId], references: [id])
  before Model${(index + count - 1) % count}[] @relation("r${(index + count - 1) % count}")`
    const text = models.map((index) => `model Model${index} {\n  ${fields(index)}\n}\n`).join('\n')
    const project = await generateSchemaProject('three-hundred', { text })
    await using database = await openDatabase()
    const table = (index: number) =>
      `CREATE TABLE "Model${index}" (id int PRIMARY KEY, "nextId" int NOT NULL, text text NOT NULL, at timestamp(3) NOT NULL)`
    await database.query(models.map(table).join(';'))
    const running = await serve(project, database)
    await expectPlanned(running)
    expect(await compareRows(running, ['Model0', 'Model150', 'Model299'])).toHaveLength(3)
    expect((await introspect(running.url)).getType('Model299')).toBeDefined()
    await running.service.stop()
  })
})
