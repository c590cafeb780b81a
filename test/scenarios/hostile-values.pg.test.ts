/**
 * Every Prisma scalar, its lists and its keys, with values that storing takes and showing trips over, to subscribers and
 * queries over every transport: a value fails its own field, at worst its own operation with a code and a cursor to go on
 * after. All cases share one process and one database. Each run takes a sample (ROWCAST_TEST_SEED repeats it);
 * ROWCAST_VALUES=all takes every value, any other text those in whose description it is found, as an expression.
 */
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { ERRORS, type ErrorCode, invariant } from '../../src/errors.ts'
import { type ModelNames, modelNames } from '../../src/graphql/schema-names.ts'
import { silentLogger } from '../../src/logger.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { createService } from '../../src/service.ts'
import { TRANSPORTS } from '../security/transports.ts'
import { columnText } from '../support/column-text.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import {
  HOSTILE_COLUMNS,
  HOSTILE_KEYS,
  type HostileColumn,
  hostileLists,
  listOf,
} from '../support/hostile-columns.ts'
import { slotOf } from '../support/live-rowcast.ts'
import {
  type OpenSubscription,
  openResumingReader,
  type ReadAnswer,
  type ResumingReader,
} from '../support/resuming-reader.ts'
import { generateSchemaProject } from '../support/schema-project.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'

const SAMPLE = 10
/** Those that have fallen once are in every sample. */
const FALLEN = /^Optional\.\w+ (?:String @db.Citext .*u0001|Json on jsonb: .*toJSON)/
/** Null: a sample. */
const WANTED = process.env['ROWCAST_VALUES'] ?? null
const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Types of which only the database knows the text; with them the stream comes in text form. */
const OPAQUE = /^(?:tsvector|point|aclitem)$/
/** Types that Prisma Client refuses to read. */
const REFUSED_IN_LISTS = /^(?:hstore|ltree|citext|timetz)$/
const REFUSED = /^(?:interval|int4range|tsvector|point)$/

/** One value in one column. */
interface Case {
  readonly model: string
  /** Name of the field, and of its column. */
  readonly field: string
  readonly column: HostileColumn
  readonly isList: boolean
  readonly value: string
}

const COLUMNS = HOSTILE_COLUMNS.map((column, index) => ({ ...column, field: `c${index}` }))
/** Prisma Client reads no row of a model that has one of these, NULL or not. */
const REFUSED_COLUMNS = COLUMNS.filter(({ type }) => REFUSED.test(type))
const READ_COLUMNS = COLUMNS.filter(({ type }) => !REFUSED.test(type))
const LIST_COLUMNS = READ_COLUMNS.filter(({ fine, type }) => fine !== null && !REFUSED_IN_LISTS.test(type))
const REFUSED_LIST_COLUMNS = COLUMNS.filter(({ type }) => REFUSED.test(type) || REFUSED_IN_LISTS.test(type))

/** The models: all columns optional, required, and as lists; and each key. */
function schemaText(): string {
  const marked = (prisma: string, mark: string) => prisma.replace(/^(Unsupported\(.*\)|\w+)/, `$1${mark}`)
  const model = (name: string, lines: readonly string[]) => `model ${name} {\n  ${lines.join('\n  ')}\n}`
  const withColumns = (name: string, columns: typeof COLUMNS, mark: string) =>
    model(name, [
      ...['nr Int @id', 'note String?'],
      ...columns.map(({ field, prisma }) => `${field} ${marked(prisma, mark)}`),
    ])
  return [
    'enum Mood {\n  plain\n  other\n}',
    withColumns('Optional', READ_COLUMNS, '?'),
    withColumns('Required', READ_COLUMNS, ''),
    withColumns('Listing', LIST_COLUMNS, '[]'),
    withColumns('Refused', REFUSED_COLUMNS, '?'),
    withColumns('Refuseds', REFUSED_LIST_COLUMNS, '[]'),
    ...HOSTILE_KEYS.map(({ prisma }, index) =>
      model(`Key${index}`, [marked(prisma, '').replace(/^\S+/, (type) => `key ${type} @id`), 'note String?']),
    ),
    model('Beside', ['nr Int @id', 'note String?']),
  ].join('\n')
}

const literal = (value: string | null): string =>
  value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`

/** Their tables. @param isOpaque with types whose binary form is not known, and with one that has none */
function tablesSql(isOpaque: boolean): string {
  const typeOf = ({ type }: HostileColumn) => (!isOpaque && OPAQUE.test(type) ? 'text' : type)
  const table = (name: string, columns: readonly string[]) => `CREATE TABLE "${name}" (${columns.join(', ')})`
  const columnsOf = (columns: typeof COLUMNS, mark = '') =>
    columns.map((column) => `${column.field} ${typeOf(column)}${mark}`)
  const base = ['nr int PRIMARY KEY', 'note text']
  return [
    ...['citext', 'hstore', 'ltree'].map((name) => `CREATE EXTENSION ${name}`),
    "CREATE TYPE mood AS ENUM ('plain', 'other', 'new one', '__proto__', '')",
    table('Optional', [...base, ...columnsOf(READ_COLUMNS)]),
    table('Refused', [...base, ...columnsOf(REFUSED_COLUMNS)]),
    table('Refuseds', [...base, ...columnsOf(REFUSED_LIST_COLUMNS, '[]')]),
    table('Required', [
      ...base,
      ...READ_COLUMNS.map(
        (column) => `${column.field} ${typeOf(column)} NOT NULL DEFAULT ${literal(storable(column))}`,
      ),
    ]),
    table('Listing', [...base, ...columnsOf(LIST_COLUMNS, '[]')]),
    ...HOSTILE_KEYS.map(({ type }, index) => table(`Key${index}`, [`key ${type} PRIMARY KEY`, 'note text'])),
    table('Beside', base),
  ].join('; ')
}

/** A column that the schema has as Unsupported is filled, too. */
const storable = ({ fine, hostile }: HostileColumn): string | null => fine ?? hostile[0] ?? null
const fineValue = ({ column, isList }: Case): string | null => {
  const fine = storable(column)
  return isList && fine !== null ? listOf([fine]) : fine
}

/** Every value in every model that may have it, random ones with them. */
function allCases(catalog: ModelCatalog): readonly Case[] {
  const random = (model: string, field: string): readonly string[] => {
    const spec = catalog.models[model]?.fields.find(({ name }) => name === field)
    if (spec === undefined) return []
    const values = fc.sample(columnText({ ...spec, isRequired: true }, catalog), { seed: SEED, numRuns: 3 })
    return values.filter((value) => value !== null)
  }
  const of = (model: string, field: string, column: HostileColumn, isList = false): readonly Case[] =>
    [...(isList ? hostileLists(column) : column.hostile), ...random(model, field)].map((value) => ({
      ...{ model, field, column, isList, value },
    }))
  return [
    ...READ_COLUMNS.flatMap((column) => of('Optional', column.field, column)),
    ...READ_COLUMNS.flatMap((column) => of('Required', column.field, column)),
    ...REFUSED_COLUMNS.flatMap((column) => of('Refused', column.field, column)),
    ...REFUSED_LIST_COLUMNS.flatMap((column) => of('Refuseds', column.field, column, true)),
    ...LIST_COLUMNS.flatMap((column) => of('Listing', column.field, column, true)),
    ...HOSTILE_KEYS.flatMap((column, index) => of(`Key${index}`, 'key', column)),
  ]
}

/** The reader of each transport for one model. */
type Readers = Readonly<Record<string, ResumingReader>>

interface World {
  readonly database: TestDatabase
  readonly url: string
  readonly rowcast: Rowcast
  readonly names: (model: string) => ModelNames
  readonly fieldsOf: (model: string) => string
  readonly readersOf: (model: string) => Promise<Readers>
  /** After a case that has failed. */
  readonly startAfresh: (model: string) => Promise<void>
  readonly openers: Readonly<Record<string, (document: string, more?: object) => OpenSubscription>>
}

/** What all subscribers of a model ask for. */
function documentOf({ changed, where }: ModelNames, fields: string, key: string): string {
  return `subscription ($after: Cursor, $where: ${where}) { ${changed}(after: $after, where: $where) {
    action cursor changed unavailable key { ${key} } old { ${fields} } new { ${fields} } transaction { last } } }`
}

async function openWorld(isOpaque: boolean): Promise<World & { readonly catalog: ModelCatalog }> {
  const { catalog, createPrisma } = await generateSchemaProject('hostile-values', { text: schemaText() })
  const database = await openDatabase()
  onTestFinished(() => database[Symbol.asyncDispose]())
  await database.query(tablesSql(isOpaque))
  const config = resolveConfig(
    {
      ...{ catalog, createPrisma: (url: string) => createPrisma(url), slot: slotOf(database), port: 0 },
      ...{ livePage: false, models: { '*': {} } },
    },
    { DATABASE_URL: database.url },
  )
  const service = await createService(config, {
    logger: silentLogger,
  })
  const { url } = await service.start()
  onTestFinished(() => service.stop())
  await service.rowcast.ready()
  const client = createWsClient(url)
  onTestFinished(() => client.close())
  const sse =
    (method: 'GET' | 'POST') =>
    (document: string, more = {}): OpenSubscription =>
    (after) =>
      subscribeSse(url, document, { after, where: null, ...more }, method)
  const openers: World['openers'] = {
    WebSocket:
      (document, more = {}) =>
      async (after) =>
        client.subscribe(document, { after, where: null, ...more }),
    'SSE GET': sse('GET'),
    'SSE POST': sse('POST'),
  }
  const names = (model: string) => modelNames(config.catalog, model)
  const shownOf = (model: string, fields: readonly string[]) =>
    fields.map((name) => names(model).fields.get(name)).join(' ')
  const fieldsOf = (model: string) =>
    shownOf(
      model,
      (catalog.models[model]?.fields ?? []).map(({ name }) => name),
    )
  const readers = new Map<string, Promise<Readers>>()
  const openReaders = async (model: string): Promise<Readers> => {
    const after = await service.rowcast.changeCursor()
    const key = shownOf(model, catalog.models[model]?.primaryKey ?? [])
    const document = documentOf(names(model), fieldsOf(model), key)
    const opened = Object.entries(openers).map(
      async ([transport, open]) =>
        [transport, await openResumingReader(open(document), names(model).changed, after)] as const,
    )
    return Object.fromEntries(await Promise.all(opened))
  }
  const readersOf = (model: string) => {
    const opened = readers.get(model) ?? openReaders(model)
    readers.set(model, opened)
    return opened
  }
  const startAfresh = async (model: string): Promise<void> => {
    for (const opened of readers.values()) for (const reader of Object.values(await opened)) reader.leave()
    readers.clear()
    await database.query(`DELETE FROM "${model}"`)
  }
  return {
    database,
    url,
    rowcast: service.rowcast,
    names,
    fieldsOf,
    readersOf,
    startAfresh,
    openers,
    catalog,
  }
}

/** The codes that a client may be given. */
const isPublicCode = (code: unknown): boolean =>
  typeof code === 'string' && ERRORS[code as ErrorCode]?.isPublic === true

/** What no error may be: without a code, as long as a value, or about another field. */
function expectOwnErrors(
  errors: readonly { message: string; path?: readonly unknown[] }[],
  field: string,
): void {
  for (const error of errors) {
    const { extensions } = error as { extensions?: { code?: unknown; reason?: unknown } }
    expect(extensions?.code).toSatisfy(isPublicCode)
    expect(JSON.stringify(error).length).toBeLessThan(1_500)
    // Where Prisma Client refuses a row, nobody knows for which field.
    const isOfField = extensions?.code === 'GRAPHQL_VALUE_UNREPRESENTABLE' && extensions.reason !== 'refused'
    if (isOfField) expect(error.path).toContain(field)
  }
}

const tableOf = (model: string): string => `"${model}"`

/** Writes a row with the value. @returns false where PostgreSQL does not take it */
async function insertValue({ database }: World, each: Case): Promise<boolean> {
  const { model, field, value, column, isList } = each
  const columns = model.startsWith('Key') ? field : `nr, ${field}`
  const values = model.startsWith('Key') ? '' : '1, '
  const type = isList ? `${column.type}[]` : column.type
  return database
    .query(`INSERT INTO ${tableOf(model)} (${columns}) VALUES (${values}$1::text::${type})`, [value])
    .then(
      () => true,
      (error: unknown) => {
        // 22: no value of the type; 54: too large for an index; 0A, 28: not supported.
        const code = String(Reflect.get(error as object, 'code'))
        if (/^(?:22|54|0A|42|2200)/.test(code)) return false
        // Before PostgreSQL 15 hstore says so as an internal error.
        if (code === 'XX000' && column.type === 'hstore') return false
        throw error
      },
    )
}

/** Seven changes: the value comes, stays, goes, is back, leaves; then a row that anybody can read comes and goes. */
async function writeRest({ database }: World, each: Case, ask: () => Promise<void>): Promise<void> {
  const { model, field, value, column, isList } = each
  const table = tableOf(model)
  const type = isList ? `${column.type}[]` : column.type
  const set = (text: string | null) =>
    database.query(`UPDATE ${table} SET ${field} = $1::text::${type}`, [text])
  await database.query(`UPDATE ${table} SET note = 'other'`)
  await set(fineValue(each))
  await set(value)
  await ask()
  await database.query(`DELETE FROM ${table}`)
  const nr = model.startsWith('Key') ? ['', ''] : ['nr, ', '2, ']
  await database.query(
    `INSERT INTO ${table} (${nr[0]}note, ${field}) VALUES (${nr[1]}'marker', $1::text::${type})`,
    [fineValue(each)],
  )
  await database.query(`DELETE FROM ${table}`)
  await database.query(`INSERT INTO "Beside" VALUES (1, 'marker'); DELETE FROM "Beside"`)
}

/** What queries show of the row, by transport; null where the query failed as a whole, with codes. */
async function queryRows({ url, names, fieldsOf }: World, each: Case): Promise<readonly unknown[]> {
  const { model } = each
  const { many } = names(model)
  const rows: unknown[] = []
  for (const transport of TRANSPORTS) {
    const { data, errors } = await transport.ask(url, `{ ${many} { ${fieldsOf(model)} } }`)
    expectOwnErrors(errors, each.field)
    const [row] = (data as Record<string, readonly unknown[]> | null)?.[many] ?? [null]
    expect(row !== null || errors.length > 0, transport.name).toBe(true)
    rows.push(row)
  }
  return rows
}

/** What came of the seven changes. */
async function readCase(reader: ResumingReader, { field }: Case): Promise<readonly ReadAnswer[]> {
  const answers: ReadAnswer[] = []
  while (answers.length < 7) answers.push(await reader.next())
  for (const { errors } of answers) expectOwnErrors(errors, field)
  const actions = ['INSERT', 'UPDATE', 'UPDATE', 'UPDATE', 'DELETE', 'INSERT', 'DELETE']
  expect(answers.map(({ change }, index) => change?.action ?? actions[index])).toEqual(actions)
  for (const { change, errors } of answers.slice(5))
    expect([change, errors]).toEqual([expect.any(Object), []])
  expect(answers[5]?.change?.new).toMatchObject({ note: 'marker' })
  return answers
}

/** A filter that the value has to be asked about: it may end its own subscription, and goes on after that. */
async function readFiltered(world: World, each: Case, after: string): Promise<void> {
  const { literal: wanted } = each.column
  // PostgreSQL has no equality for json, and lists are asked by it.
  if (wanted === null || (each.isList && each.column.prisma.startsWith('Json'))) return
  const { changed } = world.names(each.model)
  const operator = each.isList ? `has: ${wanted}` : `equals: ${wanted}`
  const document = `subscription ($after: Cursor) { ${changed}(after: $after, where: { ${each.field}: { ${operator} } }) {
    action cursor transition new { note } } }`
  const opener = Object.values(world.openers)[each.value.length % 3]
  invariant(opener !== undefined, 'There are three.')
  const reader = await openResumingReader(opener(document), changed, after)
  for (let count = 0; count < 14; count += 1) {
    const { change, errors } = await reader.next()
    expectOwnErrors(errors, each.field)
    if (change?.action !== 'INSERT' || change.new?.['note'] !== 'marker') continue
    reader.leave()
    return
  }
  throw new Error('The row that anybody can read did not come.')
}

/** Queries show what queries show, subscriptions what subscriptions show, and both the same, but for a number that Prisma Client rounds. */
function expectSameRows(queried: readonly unknown[], delivered: readonly unknown[], each: Case): void {
  const { field } = each
  const isThere = (row: unknown) => row !== null
  const [ofQueries, ofStreams] = [queried.filter(isThere), delivered.filter(isThere)]
  for (const row of ofQueries) expect(row).toEqual(ofQueries[0])
  for (const row of ofStreams) expect(row).toEqual(ofStreams[0])
  const [query, stream] = [ofQueries[0], ofStreams[0]] as readonly (Record<string, unknown> | undefined)[]
  if (query === undefined || stream === undefined) return
  const isRounded = typeof query[field] === 'number' && stream[field] === null
  // A document that cannot be shown takes the list with it where it is delivered, and is null in the list where it is queried.
  const isUnlike = isRounded || (isJsonList(each) && stream[field] === null)
  expect(isUnlike ? { ...query, [field]: null } : query).toEqual(stream)
}

const isJsonList = ({ isList, column }: Case): boolean => isList && column.prisma.startsWith('Json')

/** @returns whether PostgreSQL takes the value */
async function tryCase(world: World, each: Case): Promise<boolean> {
  const readers = await world.readersOf(each.model)
  const beside = await world.readersOf('Beside')
  const before = await world.rowcast.changeCursor()
  if (!(await insertValue(world, each))) return false
  let rows: readonly unknown[] = []
  await writeRest(world, each, async () => {
    rows = await queryRows(world, each)
  })
  const answers = await Promise.all(Object.values(readers).map((reader) => readCase(reader, each)))
  expectSameRows(
    rows,
    answers.map((list) => list[3]?.change?.new ?? null),
    each,
  )
  await readFiltered(world, each, before)
  for (const reader of Object.values(beside)) {
    const ends = reader.ends
    for (const action of ['INSERT', 'DELETE']) {
      expect(await reader.next()).toMatchObject({ change: { action }, errors: [] })
    }
    expect(reader.ends).toBe(ends)
  }
  expect(world.rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0, drifted: [] })
  return true
}

const described = ({ model, field, column, value }: Case): string =>
  `${model}.${field} ${column.prisma} on ${column.type}: ${JSON.stringify(value.slice(0, 60))} (${value.length})`

function chosenOf(all: readonly Case[]): readonly Case[] {
  if (WANTED === 'all') return all
  if (WANTED !== null) return all.filter((each) => new RegExp(WANTED).test(described(each)))
  const sample = fc.shuffledSubarray([...all], { minLength: SAMPLE, maxLength: SAMPLE })
  const [taken = []] = fc.sample(sample, { seed: SEED, numRuns: 1 })
  return [...all.filter((each) => FALLEN.test(described(each))), ...taken]
}

test.each([
  ['binary', false],
  ['text', true],
] as const)(
  'a hostile value costs its own field, at worst its own operation (%s form)',
  {
    timeout: WANTED !== null ? 3_600_000 : 120_000,
  },
  async (_, isOpaque) => {
    const world = await openWorld(isOpaque)
    const all = allCases(world.catalog)
    const cases = chosenOf(all)
    process.stdout.write(
      `Hostile values: ROWCAST_TEST_SEED=${SEED} takes ${cases.length} of ${all.length}.\n`,
    )
    const failures: unknown[] = []
    let taken = 0
    for (const each of cases) {
      const what = described(each)
      const isTaken = await tryCase(world, each).catch(async (error: unknown) => {
        failures.push([what, error])
        if (WANTED !== null) process.stdout.write(`${what}: ${String(error).slice(0, 600)}\n`)
        await world.startAfresh(each.model)
        return true
      })
      if (isTaken) taken += 1
    }
    expect(failures).toEqual([])
    expect(taken).toBeGreaterThan(cases.length / 2)
  },
)
