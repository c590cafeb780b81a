/**
 * Faults of the catalog: what is published changes under the eyes of those who subscribe, and writers go on meanwhile. Each
 * is over when every subscriber of the models has been reported, and has what was committed since.
 */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { LSN_ZERO, type Lsn, laterLsn, parseLsn } from '../../src/wire/lsn.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { FaultKind } from './fault-kind.ts'
import type { Gap } from './gaps.ts'
import { lsnOf } from './judge-resyncs.ts'
import { CHAOS_MODEL_NAMES, CHAOS_MODELS, type ChaosModel } from './ledger.ts'
import type { Random } from './random.ts'
import { DDL_TABLE, type Query } from './second-decoder.ts'
import type { WorldBase } from './stage.ts'

const PUBLICATION = 'rowcast'
const TIMEOUT_MS = 60_000
/** Many looks of the watch: until then somebody may be notified of what must be reported to nobody. */
const ECHO_MS = 15_000
/** A look or two of the watch. */
const LOOKS_MS = 2_500
const TRIES = 20

/** Whether all that the run needs is published, with all that is done to it. */
const publishedSql = (tables: readonly string[]) => `
  SELECT count(t.tablename) = ${tables.length}
    AND bool_and(p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate) AS whole
  FROM pg_publication p LEFT JOIN pg_publication_tables t ON t.pubname = p.pubname
  WHERE p.pubname = '${PUBLICATION}'`

/** What is done, and undone after a while. */
interface CatalogChange {
  readonly models: readonly ChaosModel[]
  /** One transaction. */
  readonly away: string
  /** Another one; null: nothing is to be undone. */
  readonly back: string | null
  /** Whether all subscribers of the models must be reported. @default true */
  readonly isCertain?: boolean | undefined
}

/** It may be over before anybody looks. */
const UNCERTAIN = 'a column that Prisma knows is dropped and added'

/** Each makes a gap of some models. Colours have the length of their column: it is filled up with spaces, and a cast takes those away. */
const CHANGES: Readonly<Record<string, (random: Random, tables: readonly string[]) => CatalogChange>> = {
  'a table leaves the publication and comes back': (random) => {
    const model = random.pick(CHAOS_MODEL_NAMES)
    const { table } = CHAOS_MODELS[model]
    const alter = (verb: string) => `ALTER PUBLICATION ${PUBLICATION} ${verb} TABLE ${table}`
    return { models: [model], away: alter('DROP'), back: alter('ADD') }
  },
  'SET TABLE without one, and with all again': (random, tables) => {
    const model = random.pick(CHAOS_MODEL_NAMES)
    const others = tables.filter((table) => table !== CHAOS_MODELS[model].table)
    const set = (those: readonly string[]) => `ALTER PUBLICATION ${PUBLICATION} SET TABLE ${those.join(', ')}`
    return { models: [model], away: set(others), back: set(tables) }
  },
  'a row filter is set and taken away': (random, tables) => {
    const model = random.pick(CHAOS_MODEL_NAMES)
    const { table, column } = CHAOS_MODELS[model]
    const filtered = tables.map((each) => (each === table ? `${table} WHERE (${column} LIKE '%3%')` : each))
    const set = (those: readonly string[]) => `ALTER PUBLICATION ${PUBLICATION} SET TABLE ${those.join(', ')}`
    return { models: [model], away: set(filtered), back: set(tables) }
  },
  'the publication loses actions for a while': (random) => {
    const rest = random.pick(['insert', 'insert, update, truncate', 'update, delete'])
    const set = (actions: string) => `ALTER PUBLICATION ${PUBLICATION} SET (publish = '${actions}')`
    return { models: CHAOS_MODEL_NAMES, away: set(rest), back: set('insert, update, delete, truncate') }
  },
  'the publication is dropped and made again': (_random, tables) => ({
    models: CHAOS_MODEL_NAMES,
    away: `DROP PUBLICATION ${PUBLICATION}`,
    back: `CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${tables.join(', ')} WITH (publish_via_partition_root = true)`,
  }),
  [UNCERTAIN]: () => ({
    models: ['Tag'],
    isCertain: false,
    away: 'ALTER TABLE "Tag" DROP COLUMN color',
    back: 'ALTER TABLE "Tag" ADD COLUMN color char(7)',
  }),
  'a partition is detached, written and attached': (random) => {
    const remainder = random.integer(0, 2)
    return {
      models: ['Team'],
      away: `ALTER TABLE "Team" DETACH PARTITION "Team_${remainder}";
        UPDATE "Team_${remainder}" SET slug = 'unseen';
        ALTER TABLE "Team" ATTACH PARTITION "Team_${remainder}" FOR VALUES WITH (MODULUS 3, REMAINDER ${remainder})`,
      back: null,
    }
  },
  'another table is swapped in by its name': (_random, tables) => ({
    models: ['Tag'],
    away: `LOCK TABLE "Tag";
      CREATE TABLE "Tag_new" (LIKE "Tag" INCLUDING ALL);
      ALTER TABLE "Tag_new" REPLICA IDENTITY FULL;
      INSERT INTO "Tag_new" SELECT * FROM "Tag";
      ALTER TABLE "Tag" RENAME TO "Tag_old";
      ALTER TABLE "Tag_new" RENAME TO "Tag";
      UPDATE "Tag" SET color = '#swappd';
      ALTER PUBLICATION ${PUBLICATION} SET TABLE ${tables.join(', ')};
      DROP TABLE "Tag_old" CASCADE`,
    back: null,
  }),
  'a table is dropped, made, filled and published again': () => ({
    models: ['Tag'],
    away: `LOCK TABLE "Tag";
      CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM "Tag";
      CREATE TEMP TABLE shape (LIKE "Tag" INCLUDING ALL) ON COMMIT DROP;
      DROP TABLE "Tag" CASCADE;
      CREATE TABLE "Tag" (LIKE shape INCLUDING ALL);
      ALTER TABLE "Tag" REPLICA IDENTITY FULL;
      INSERT INTO "Tag" SELECT * FROM kept;
      UPDATE "Tag" SET color = '#remade';
      ALTER PUBLICATION ${PUBLICATION} ADD TABLE "Tag"`,
    back: null,
  }),
}

/** Those that everybody must hear of, whatever comes of them. */
export function certainGapFaults(): readonly FaultKind<WorldBase>[] {
  return GAP_FAULTS.filter(({ name }) => name !== UNCERTAIN)
}

/** Whether a fault changes tables or the publication. */
export function isGapFault(name: string): boolean {
  return Object.hasOwn(CHANGES, name)
}

/** All of them, in any world. */
export const GAP_FAULTS: readonly FaultKind<WorldBase>[] = Object.entries(CHANGES).map(
  ([name, choose]): FaultKind<WorldBase> => ({
    name,
    async inject(world, random) {
      const { models, away, back, isCertain = true } = choose(random, world.tables)
      const readersAreAway = random.chance(0.3)
      const clientsAreAway = random.chance(0.25) && world.restartAll !== null
      const pauseMs = random.pick([0, 0, random.integer(0, 2_500)])
      await withGap(world, { name, models, isCertain }, async () => {
        if (clientsAreAway) keepAway(world.clientProxies, true)
        if (readersAreAway) keepAway(world.databaseProxies, true)
        await changeCatalog(world, away)
        await delay(pauseMs)
        if (back !== null) await changeCatalog(world, back)
        if (readersAreAway) keepAway(world.databaseProxies, false)
        if (clientsAreAway) await outliveRestart(world)
      })
      return true
    },
  }),
)

/**
 * Does what makes a gap, and waits until all who must be notified have been, and everybody has what was committed since.
 */
export async function withGap(
  world: WorldBase,
  { name, models, isCertain }: Pick<Gap, 'name' | 'models' | 'isCertain'>,
  make: () => Promise<void>,
): Promise<void> {
  const gap: Gap = { name, models, isCertain, fromLsn: seenLsn(world), toLsn: null }
  const concerned = world.subscribers.filter(({ model }) => models.includes(model))
  const due = concerned.map(({ log }) => ({ log, count: log.resyncs.length + 1 }))
  world.gaps.push(gap)
  await make()
  if (isCertain) await Promise.all(due.map(({ log, count }) => log.whenResynced(count, TIMEOUT_MS)))
  await world.awaitProgress(TIMEOUT_MS)
  if (isCertain) await untilRepaired(world)
  // Everybody has been notified, and has passed a change from behind it.
  if (isCertain) await close(world, gap)
  else void delay(ECHO_MS, undefined, { ref: false }).then(() => close(world, gap))
}

/**
 * Everybody may have been notified by the first step of a repair: rowcast publishes what is missing table by table, and whoever made
 * the gap undoes it meanwhile. Each step may be a gap of its own until the looks after the last one have passed.
 */
async function untilRepaired(world: WorldBase): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS
  for (let isWhole = false; !isWhole && performance.now() < deadline; ) {
    isWhole = await world.query<{ whole: boolean }>(publishedSql(world.tables)).then(
      ([row]) => row?.whole === true,
      () => false,
    )
    if (!isWhole) await delay(200)
  }
  await delay(LOOKS_MS)
  await world.awaitProgress(TIMEOUT_MS)
}

/** A gap that cannot be closed, since the database is away, stays open. */
async function close({ query, site }: WorldBase, gap: Gap): Promise<void> {
  gap.toLsn = await insertLsn(query).then(
    (lsn) => site.timelines.place(lsn),
    () => null,
  )
}

/** Waits until everybody has the rows of the tables; who missed some that nobody notified them of never does. */
export async function untilFolded({ subscribers, queryRows }: WorldBase): Promise<void> {
  const deadline = performance.now() + ECHO_MS
  for (;;) {
    const faults = await Promise.all(
      subscribers.map(async ({ model, log }) => log.fold.compare(log.columns, await queryRows(model))),
    )
    if (faults.every(({ length }) => length === 0) || performance.now() > deadline) return
    await delay(200)
  }
}

/** What was noticed while nobody subscribed is remembered by whoever comes next: clients come back with cursors from before. */
async function outliveRestart({ clientProxies, restartAll }: WorldBase): Promise<void> {
  await delay(LOOKS_MS)
  await restartAll?.()
  keepAway(clientProxies, false)
}

function keepAway(proxies: readonly TcpProxy[], isAway: boolean): void {
  for (const proxy of proxies) {
    proxy.refuse(isAway)
    if (isAway) proxy.cut()
  }
}

async function insertLsn(query: Query) {
  const [row] = await query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  return parseLsn(row?.lsn ?? '0/0')
}

/** What somebody has seen: cursors that are taken from now on stand there or behind it, while the WAL may be further on without a commit. */
function seenLsn({ subscribers, site: { timelines } }: WorldBase): Lsn {
  return subscribers.map(({ log }) => lsnOf(timelines.straighten(log.cursor))).reduce(laterLsn, LSN_ZERO)
}

/** One transaction that says that it is none of the writers', tried until it gets its locks. */
async function changeCatalog({ site: { databaseUrl } }: WorldBase, sql: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const client = new pg.Client({ connectionString: databaseUrl, application_name: 'chaos catalog' })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query(
        `BEGIN; SET LOCAL lock_timeout = '3s'; INSERT INTO ${DDL_TABLE} DEFAULT VALUES; ${sql}; COMMIT`,
      )
      return
    } catch (error) {
      // A rowcast that starts makes what it lacks.
      if (error instanceof pg.DatabaseError && error.code === DUPLICATE_OBJECT) return
      // Refused, and so not done; anything else may have been.
      if (!(error instanceof pg.DatabaseError) || !isLockError(error) || tries === TRIES) throw error
    } finally {
      await client.end().catch(() => {})
    }
  }
}

/** A publication or one of its tables is there already. */
const DUPLICATE_OBJECT = '42710'

/** Deadlock, lock not available. */
function isLockError({ code }: pg.DatabaseError): boolean {
  return code === '40P01' || code === '55P03'
}
