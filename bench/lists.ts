/** What a screen costs: a list and totals that rowcast keeps, beside clients that poll; whole transactions, beside single changes. */
import { setTimeout as delay } from 'node:timers/promises'
import { type BenchContext, type Benchmark, type Measures, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import type { ScreensRequest } from './clients/screens.ts'
import type { WriteRequest } from './clients/writer.ts'
import type { BenchDatabase } from './database.ts'
import { compareDeliveries } from './deliveries.ts'
import { DOCUMENT, serveRowcast } from './live-servers.ts'
import { ORDER_SELECTION } from './orders.ts'
import { makeCommentsLive, migrate, writeComments } from './sample.ts'

const POLLED = 'Yoga + Prisma, polled'
const RATE = 200
/** On a machine that is busy with others, a server that cannot keep up takes long. */
const TIMEOUT_MS = 600_000
/** Ids of the rows that are written, behind those that are there. */
const FIRST_ID = 1_000_000

/** One thing that a screen shows, asked of each. */
interface Shown {
  readonly scenario: string
  readonly shows: ScreensRequest['shows']
  readonly subscription: string
  readonly query: string
}

const LIST: Shown = {
  scenario: 'a list of 50',
  shows: 'ids',
  subscription: `subscription { commentList(orderBy: [{ id: DESC }], take: 50, every: 100) {
    ... on CommentListSnapshot { rows { id body } }
    ... on CommentListPatch { operations { kind index key { rowId } row { id body } } } } }`,
  query: '{ comments(take: 50) { id body } }',
}
const TOTALS: Shown = {
  scenario: 'totals',
  shows: 'count',
  subscription: 'subscription { commentTotals(every: 100) { count } }',
  query: '{ commentTotals { count } }',
}

/** A server that screens are opened at. */
interface ScreenServer extends AsyncDisposable {
  readonly name: string
  readonly child: Child
  readonly port: number
  readonly path: string
  readonly pollMs: number | null
}

async function servePolled(database: BenchDatabase, pollMs: number): Promise<ScreenServer> {
  const child = await openChild('contenders/serve-polled', { node: ['--no-warnings'] })
  const address = await child.call<{ port: number; path: string }>('start', { url: database.url })
  return {
    name: POLLED,
    child,
    pollMs,
    ...address,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/** Where it is measured, and who writes. */
interface Scene {
  readonly context: BenchContext
  readonly database: BenchDatabase
  readonly writer: Child
}

/** Screens of one server, while rows are written to its database at a steady rate. */
async function measure(
  { context, database, writer }: Scene,
  server: ScreenServer,
  shown: Shown,
): Promise<Measures> {
  const [{ start } = { start: 0 }] = await database.query<{ start: number }>(
    `SELECT count(*)::int AS start FROM "Comment"`,
  )
  const count = context.size(RATE * 8, 10)
  const [{ last } = { last: 0 }] = await database.query<{ last: number }>(
    `SELECT greatest(${FIRST_ID}, max(id))::int AS last FROM "Comment"`,
  )
  await using screens = await openChild('clients/screens')
  const asked: ScreensRequest = {
    ...{ port: server.port, path: server.path, screens: context.size(1_000, 20), pollMs: server.pollMs },
    ...{ shows: shown.shows, document: server.pollMs === null ? shown.subscription : shown.query },
  }
  await screens.call('open', asked)
  const write = async (firstId: number, rows: number) => {
    const request: WriteRequest = { url: database.url, table: 'comments', firstId, count: rows, rate: RATE }
    await writer.call('write', request)
  }
  const reach = async (value: number) => {
    const untilMs = performance.now() + TIMEOUT_MS
    while (!(await screens.call<boolean>('haveShown', { value }))) {
      if (performance.now() > untilMs) throw new Error(`${server.name} did not show all in ten minutes.`)
      await delay(20)
    }
  }
  // Everybody is there, and what runs for days has been compiled.
  const warm = context.size(RATE, 4)
  await write(last + 1, warm)
  const lastShown = shown.shows === 'ids' ? last + warm : start + warm
  await reach(lastShown)
  await screens.call('texts')
  const [usedBefore, startedMs] = [await server.child.usage(), performance.now()]
  await write(last + warm + 1, count)
  const writtenMs = performance.now()
  const [used, texts] = [await server.child.usage(), await screens.call<number>('texts')]
  await reach(lastShown + count)
  const seconds = (writtenMs - startedMs) / 1_000
  const waits = await waitsOf(database, screens, shown, { firstId: last + warm + 1, count, shown: lastShown })
  await screens.call('end')
  return {
    'server CPU %': (used.cpuMicros - usedBefore.cpuMicros) / seconds / 10_000,
    'p50 ms': percentile(waits, 0.5),
    'p99 ms': percentile(waits, 0.99),
    'messages/s': texts / seconds,
    'changes/s': count / seconds,
  }
}

/** What was written, and what was shown before it. */
interface Written {
  readonly firstId: number
  readonly count: number
  readonly shown: number
}

/** From each commit to each screen that notes, in order; of what one has never shown, until it showed what came later. */
async function waitsOf(
  database: BenchDatabase,
  screens: Child,
  { shows }: Shown,
  { firstId, count, shown }: Written,
): Promise<number[]> {
  const commits = await database.query<{ id: number; ms: number }>(
    `SELECT id::int, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::float8 AS ms FROM "Comment"
     WHERE id >= ${firstId} AND id < ${firstId + count} ORDER BY 2`,
  )
  const seen = await screens.call<[number, number][][]>('seen')
  return seen
    .flatMap((each) => {
      const at = new Map(each)
      return commits.map(({ id, ms }, n) => {
        const from = shows === 'ids' ? id : shown + n + 1
        for (let later = from; later <= from + count; later += 1) {
          const seenMs = at.get(later)
          if (seenMs !== undefined) return seenMs - ms
        }
        return Number.NaN
      })
    })
    .sort((a, b) => a - b)
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

async function prepared(context: BenchContext, name: string): Promise<BenchDatabase> {
  const database = await context.openDatabase(name)
  await migrate(database)
  await writeComments(database, context.size(20_000, 200))
  await makeCommentsLive(database)
  return database
}

async function compareScreens(context: BenchContext, book: RunBook): Promise<void> {
  await using ours = await prepared(context, 'lists_rowcast')
  await using theirs = await prepared(context, 'lists_polled')
  const served = await serveRowcast(ours, [], 'lists')
  await using rowcast: ScreenServer = { ...served, pollMs: null }
  await using polled = await servePolled(theirs, context.size(1_000, 100))
  await using writer = await openChild('clients/writer')
  for (let round = 0; round < context.rounds; round += 1)
    for (const shown of [LIST, TOTALS]) {
      if (!context.isWanted(shown.scenario)) continue
      const scene = { context, writer }
      book.add(shown.scenario, 'rowcast', await measure({ ...scene, database: ours }, rowcast, shown))
      book.add(shown.scenario, POLLED, await measure({ ...scene, database: theirs }, polled, shown))
    }
}

const SINGLE = 'single changes'
const WHOLE = 'whole transactions'
const TRANSACTIONS = `subscription { changes(of: { order: {} }) { isLast transaction { xid } changes {
  __typename ... on OrderInserted { action new { ${ORDER_SELECTION} } } } } }`

/** The same changes to the same clients: one event for each, and one for each transaction. */
async function compareTransactions(context: BenchContext, book: RunBook): Promise<void> {
  if (!context.isWanted('changes')) return
  await using database = await context.openDatabase('lists_changes')
  await using server = await serveRowcast(database)
  await using swarm = await openChild('clients/swarm')
  const clients = context.size(500, 10)
  for (const [name, document, isWhole] of [
    [SINGLE, DOCUMENT, false],
    [WHOLE, TRANSACTIONS, true],
  ] as const) {
    const loads = [1, 10].map((changes) => ({
      ...{ scenario: transactionsOf(changes), clients, changes },
      ...{ transactions: context.size(30, 1), messages: isWhole ? 1 : changes },
    }))
    await compareDeliveries({ context, book, swarm }, [{ ...server, name }], loads, [document])
  }
}

const transactionsOf = (changes: number) => `transactions of ${changes}`

export const lists: Benchmark = {
  name: 'lists',
  about:
    'a hot list and totals on many screens beside clients that poll; whole transactions beside single changes',
  async run(context) {
    const book = new RunBook()
    await compareScreens(context, book)
    await compareTransactions(context, book)
    const compared = [LIST, TOTALS].flatMap(({ scenario }) =>
      ['server CPU %', 'p50 ms', 'p99 ms'].flatMap((what) =>
        book.ratio(scenario, what, 'rowcast', POLLED, '≤ 0.5'),
      ),
    )
    return {
      runs: book.runs,
      ratios: [
        ...compared,
        ...[1, 10].flatMap((changes) =>
          book.ratio(transactionsOf(changes), 'CPU µs/delivery', WHOLE, SINGLE, null),
        ),
      ],
    }
  },
}
