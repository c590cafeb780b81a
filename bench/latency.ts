/** From PostgreSQL's commit to a WebSocket client. */
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import type { WriteRequest } from './clients/writer.ts'
import type { BenchDatabase } from './database.ts'
import { type LiveServer, openClients, serveRowcast, serveYoga } from './live-servers.ts'

const PEER = 'pg-logical-replication + Yoga + graphql-ws'
const RATES = [100, 2_000]
const SECONDS = 4
/** Ids of measured rows; those below make the clients known to be subscribed. */
const FIRST_ID = 1_000_000

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** One load on one server. PostgreSQL's own commit times count, so the writer's delays do not. */
export async function measure(
  database: BenchDatabase,
  swarm: Child,
  server: LiveServer,
  write: WriteRequest,
): Promise<Record<string, number>> {
  const group = server.name
  await swarm.call('reset', { group, isTimed: true })
  await using writer = await openChild('clients/writer')
  const rate = await writer.call<number>('write', write)
  if (!(await swarm.call<boolean>('reach', { group, count: write.count, timeoutMs: 30_000 }))) {
    throw new Error(`${server.name} did not deliver all of ${write.count} changes.`)
  }
  const arrivals = new Map(await swarm.call<[number, number][]>('arrivals', { group }))
  const commits = await database.query<{ id: number; ms: string }>(
    `SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 AS ms FROM orders
     WHERE id >= ${write.firstId} AND id < ${write.firstId + write.count}`,
  )
  const waits = commits
    .map(({ id, ms }) => (arrivals.get(id) ?? Number.NaN) - Number(ms))
    .sort((a, b) => a - b)
  return {
    'p50 ms': percentile(waits, 0.5),
    'p99 ms': percentile(waits, 0.99),
    'transactions/s': rate,
  }
}

/** A server and the database that it follows. */
interface Contender {
  readonly name: string
  readonly server: LiveServer
  readonly database: BenchDatabase
}

async function runAlternating(
  context: BenchContext,
  book: RunBook,
  swarm: Child,
  contenders: readonly Contender[],
) {
  let firstId = FIRST_ID
  for (let round = 0; round < context.rounds; round++) {
    for (const rate of RATES) {
      const count = context.size(rate * SECONDS, 20)
      for (const { name, server, database } of contenders) {
        const write = { url: database.url, firstId, count, rate }
        book.add(`${rate} transactions/s`, name, await measure(database, swarm, server, write))
      }
      firstId += count
    }
  }
}

export const latency: Benchmark = {
  name: 'latency',
  about: 'from commit to a WebSocket client, at 100 and at 2,000 transactions a second',
  async run(context) {
    const book = new RunBook()
    await using oursDatabase = await context.openDatabase('latency_rowcast')
    await using peerDatabase = await context.openDatabase('latency_peer')
    await using swarm = await openChild('clients/swarm')
    await using ours = await serveRowcast(oursDatabase)
    await using yoga = await serveYoga(peerDatabase)
    await openClients(swarm, ours, ours.name, 1)
    await openClients(swarm, yoga, yoga.name, 1)
    // The same writes in two databases: neither server sees the other's.
    await runAlternating(context, book, swarm, [
      { name: 'rowcast', server: ours, database: oursDatabase },
      { name: PEER, server: yoga, database: peerDatabase },
    ])
    return {
      runs: book.runs,
      ratios: RATES.flatMap((rate) =>
        ['p50 ms', 'p99 ms'].flatMap((measure) =>
          book.ratio(`${rate} transactions/s`, measure, 'rowcast', PEER, '≤ 0.8'),
        ),
      ),
    }
  },
}
