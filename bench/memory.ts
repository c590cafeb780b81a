/** How far the resident set grows. */
import { writeInserts } from './backlog.ts'
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import { drainOnce } from './drain.ts'
import { type LiveServer, openClients, serveBare, serveRowcast } from './live-servers.ts'

const MIB = 1024 * 1024
/** RSS is read after a collection: what counts is what is kept. */
const NODE = ['--expose-gc']

async function drainHugeTransaction(context: BenchContext, book: RunBook) {
  const rows = context.size(1_000_000, 2_000)
  await using backlog = await writeInserts(context, 'memory_drain', rows, rows)
  const scenario = `a transaction of ${rows.toLocaleString('en-US')} rows`
  const ours = await drainOnce('contenders/drain-rowcast', backlog, 'read')
  book.add(scenario, 'rowcast', { 'RSS growth MiB': ours.rssGrowthBytes / MIB })
  const peer = await drainOnce('contenders/drain-pg-logical-replication', backlog, 'read')
  book.add(scenario, 'pg-logical-replication', { 'RSS growth MiB': peer.rssGrowthBytes / MIB })
}

/** Sockets that stop reading while changes go on. */
async function stallSockets(context: BenchContext, book: RunBook) {
  const sockets = context.size(100, 10)
  const changes = context.size(200, 20)
  const noteBytes = 20_000
  await using database = await context.openDatabase('memory_stalled')
  await using swarm = await openChild('clients/swarm')
  await using server = await serveRowcast(database, NODE)
  await openClients(swarm, server, 'stalled', sockets)
  await openClients(swarm, server, 'healthy', 1)
  await swarm.call('stall', { group: 'stalled' })
  const before = await server.child.usage()
  await swarm.call('reset', { group: 'healthy' })
  for (let n = 0; n < changes; n++) {
    const note = `jsonb_build_object('note', repeat('x', ${noteBytes}), 'n', ${n})`
    await database.query(`UPDATE orders SET details = ${note} WHERE id = 1`)
  }
  await swarm.call('reach', { group: 'healthy', count: changes, timeoutMs: 30_000 })
  const after = await server.child.usage()
  const bytesEach = (after.rssBytes - before.rssBytes) / sockets
  book.add(`${sockets} stalled sockets, ${Math.round((changes * noteBytes) / MIB)} MiB for each`, 'rowcast', {
    'RSS growth MiB': (after.rssBytes - before.rssBytes) / MIB,
    'MiB a socket': bytesEach / MIB,
  })
}

async function idleSockets(context: BenchContext, book: RunBook) {
  const sockets = context.size(5_000, 50)
  const scenario = `${sockets.toLocaleString('en-US')} idle sockets`
  await using database = await context.openDatabase('memory_idle')
  await using swarm = await openChild('clients/swarm')
  const measure = async (server: LiveServer) => {
    await openClients(swarm, server, `${server.name} first`, 50)
    const before = await server.child.usage()
    await openClients(swarm, server, server.name, sockets)
    const { rssBytes } = await server.child.usage()
    book.add(scenario, server.name, { 'KiB a socket': (rssBytes - before.rssBytes) / 1024 / sockets })
    await closeAll(swarm, [server.name, `${server.name} first`])
  }
  {
    await using bare = await serveBare(() => 'x'.repeat(700), NODE)
    await measure(bare)
  }
  await using ours = await serveRowcast(database, NODE)
  await measure(ours)
  return book.ratio(scenario, 'KiB a socket', 'rowcast', 'bare ws', '≤ 2')
}

async function closeAll(swarm: Child, groups: readonly string[]) {
  for (const group of groups) await swarm.call('close', { group })
}

export const memory: Benchmark = {
  name: 'memory',
  about: 'growth of the resident set: a huge transaction, stalled sockets, idle sockets (one round)',
  async run(context) {
    const book = new RunBook()
    await drainHugeTransaction(context, book)
    await stallSockets(context, book)
    const ratios = await idleSockets(context, book)
    const [huge] = book.runs
    const growth = huge === undefined ? Number.NaN : book.median(huge.scenario, 'rowcast', 'RSS growth MiB')
    return {
      runs: book.runs,
      ratios: [
        { what: 'RSS growth of a huge transaction, MiB', value: growth, target: '< 95 (100 MB)' },
        ...ratios,
      ],
    }
  },
}
