/**
 * The stage of the scenarios: tables by SQL, models to match, a rowcast that streams, and the application's
 * changes as everybody subscribed sees them.
 */
import { onTestFinished } from 'vitest'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { Change } from '../../src/changes/change.ts'
import type { RegisterOptions } from '../../src/config/register-options.ts'
import { createRowcast, type Rowcast, type RowcastOptions } from '../../src/rowcast.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase, type TestDatabase, type TestDatabaseOptions } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

/** Any model's change, its rows untyped. */
export type AnyModelChange = Change<
  Record<string, { row: Record<string, unknown>; key: Record<string, unknown> }>,
  string
>

/** Model `Item` on table `items`: an int key and a text that may be NULL. */
export const ITEM = buildModel(
  [buildField('id', 'Int'), buildField('note', 'String', { isRequired: false })],
  { name: 'Item', table: 'items' },
)
/** Model `Other` on table `others`, to see that others are not disturbed. */
export const OTHER = buildModel([buildField('id', 'Int')], { name: 'Other', table: 'others' })

/** Tables of both. */
export const TABLES =
  'CREATE TABLE items (id int PRIMARY KEY, note text); CREATE TABLE others (id int PRIMARY KEY)'

/** What a scenario begins with. */
export interface ScenarioOptions extends TestDatabaseOptions {
  /** Statements before `enable()`. @default TABLES */
  readonly sql?: string | undefined
  /** @default ITEM and OTHER */
  readonly models?: readonly ModelSpec[] | undefined
  readonly enums?: ModelCatalog['enums'] | undefined
  readonly joinTables?: ModelCatalog['joinTables'] | undefined
  readonly register?: Readonly<Record<string, RegisterOptions>> | undefined
  readonly options?: Partial<RowcastOptions<Record<string, never>>> | undefined
}

/** A scenario under way; it ends with its test. */
export interface Scenario {
  readonly database: TestDatabase
  readonly rowcast: Rowcast
  /** 18, for instance. */
  readonly major: number
  /** Runs statements as the application would; several only without parameters. */
  sql(text: string, parameters?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
  /** Subscribes to a model, after a cursor where one is given. */
  watch(model?: string, after?: string): Watch
}

/** One subscription. */
export interface Watch {
  /** The next `count` changes. */
  take(count: number): Promise<readonly AnyModelChange[]>
  /** The next change. */
  next(): Promise<AnyModelChange>
  /** The error that ended the subscription. */
  failure(): Promise<unknown>
}

/** A rowcast over the models, not yet enabled. */
export function buildRowcast(database: TestDatabase, scenario: ScenarioOptions = {}): Rowcast {
  const models = scenario.models ?? [ITEM, OTHER]
  const catalog: ModelCatalog = {
    formatVersion: 1,
    models: Object.fromEntries(models.map((model) => [model.name, model])),
    enums: scenario.enums ?? {},
    joinTables: scenario.joinTables ?? [],
  }
  const rowcast = createRowcast({
    catalog,
    connectionString: database.url,
    slot: slotOf(database),
    watchIntervalMs: 200,
    ...scenario.options,
  })
  for (const { name } of models) rowcast.register(name, scenario.register?.[name])
  return rowcast
}

/** Creates tables, enables, starts; resolves once changes flow. */
export async function openScenario(scenario: ScenarioOptions = {}): Promise<Scenario> {
  const database = await openDatabase(scenario)
  onTestFinished(() => database[Symbol.asyncDispose]())
  await database.query(scenario.sql ?? TABLES)
  const rowcast = buildRowcast(database, scenario)
  onTestFinished(() => rowcast.stop())
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  return {
    database,
    rowcast,
    major: await majorOf(database),
    sql: (text, parameters) => database.query(text, parameters),
    watch: (model = 'Item', after) => watchOf(rowcast, model, after),
  }
}

/** Subscribes to a model of any rowcast. */
export function watchOf(rowcast: Rowcast, model: string, after?: string): Watch {
  return createWatch(rowcast.subscribe(model, { after }) as AsyncIterableIterator<AnyModelChange>)
}

function createWatch(changes: AsyncIterableIterator<AnyModelChange>): Watch {
  async function next(): Promise<AnyModelChange> {
    const result = await changes.next()
    if (result.done) throw new Error('The subscription ended.')
    return result.value
  }
  return {
    next,
    async take(count) {
      const taken: AnyModelChange[] = []
      while (taken.length < count) taken.push(await next())
      return taken
    },
    failure: () =>
      next().then(
        (change) => Promise.reject(new Error(`A change came instead of the error: ${change.action}.`)),
        (error: unknown) => error,
      ),
  }
}

/** The server's major version. */
export async function majorOf(database: TestDatabase): Promise<number> {
  const [server] = await database.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  )
  return Math.floor((server?.version ?? 0) / 10_000)
}

/** Skips a test with its reason where the server is older than what it is about. */
export async function skipBelow(
  major: number,
  database: TestDatabase,
  context: { skip(note: string): never },
): Promise<void> {
  const actual = await majorOf(database)
  if (actual >= major) return
  process.stdout.write(`Skipped on PostgreSQL ${actual}: it came with ${major}.\n`)
  context.skip(`it came with PostgreSQL ${major}`)
}

/** Action, old and new of changes: what most scenarios look at. */
export function outline(changes: readonly AnyModelChange[]): unknown[] {
  return changes.map((change) => [change.action, change.old, change.new])
}
