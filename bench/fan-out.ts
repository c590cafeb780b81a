/** What it costs the server to deliver a change to many WebSocket clients. */
import { type BenchContext, type Benchmark, RunBook } from './benchmark.ts'
import { type Child, openChild } from './child.ts'
import {
  type LiveServer,
  openClients,
  serveBare,
  serveRowcast,
  serveYoga,
  WITH_POLICY,
} from './live-servers.ts'
import { ORDER_SELECTION } from './orders.ts'

const TIMEOUT_MS = 60_000
const WARM_UPS = 3

/** One measurement: so many transactions of so many changes to so many clients. */
interface Load {
  readonly scenario: string
  readonly clients: number
  readonly transactions: number
  readonly changes: number
}

async function measure(book: RunBook, swarm: Child, server: LiveServer, group: string, load: Load) {
  const { scenario, clients, transactions, changes } = load
  const before = await server.child.usage()
  const startedMs = performance.now()
  for (let n = 0; n < transactions; n++) {
    await swarm.call('reset', { group })
    await server.fire(changes)
    const count = clients * changes
    if (!(await swarm.call<boolean>('reach', { group, count, timeoutMs: TIMEOUT_MS }))) {
      const got = await swarm.call<number>('count', { group })
      throw new Error(`${scenario}: ${server.name} delivered ${got} of ${count}.`)
    }
  }
  const wallMs = performance.now() - startedMs
  const deliveries = clients * changes * transactions
  const cpuMicros = (await server.child.usage()).cpuMicros - before.cpuMicros
  book.add(scenario, server.name, {
    'CPU µs/delivery': cpuMicros / deliveries,
    'wall ms/transaction': wallMs / transactions,
  })
}

/** All loads on all servers in turns; every client of every server stays connected meanwhile. */
async function compare(
  context: BenchContext,
  book: RunBook,
  servers: readonly LiveServer[],
  swarm: Child,
  loads: readonly Load[],
  documents?: readonly string[],
) {
  const { clients, scenario } = loads[0] as Load
  const groupOf = (server: LiveServer) => `${scenario} ${server.name}`
  for (const server of servers) await openClients(swarm, server, groupOf(server), clients, documents)
  // Not measured: what runs for days has been compiled, and the compiler's threads count.
  for (let warmUp = 0; warmUp < context.size(WARM_UPS, 1); warmUp++) {
    for (const load of loads) {
      for (const server of servers) await measure(new RunBook(), swarm, server, groupOf(server), load)
    }
  }
  for (let round = 0; round < context.rounds; round++) {
    for (const load of loads) {
      for (const server of servers) await measure(book, swarm, server, groupOf(server), load)
    }
  }
  for (const server of servers) await swarm.call('close', { group: groupOf(server) })
}

/** As many documents as clients, no two alike. */
function differentDocuments(count: number): string[] {
  return Array.from(
    { length: count },
    (_, n) =>
      `subscription { orderChanged { action new { ${ORDER_SELECTION} x${n}: status } transaction { xid } } }`,
  )
}

export const fanOut: Benchmark = {
  name: 'fan-out',
  about: 'server CPU of a delivery: one change, ten changes, identical and different subscriptions',
  async run(context) {
    const book = new RunBook()
    const many = context.size(1_000, 20)
    const most = context.size(9_500, 40)
    const transactions = context.size(30, 2)
    const one = { scenario: `${many} identical`, clients: many, transactions, changes: 1 }
    const ten = {
      ...one,
      scenario: `${many} identical, 10 changes`,
      transactions: context.size(10, 1),
      changes: 10,
    }
    const authorised = { ...one, scenario: `${many} of 50 audiences` }
    const different = { ...one, scenario: `${many} different` }
    const huge = { ...one, scenario: `${most} identical`, clients: most, transactions: context.size(6, 1) }

    await using database = await context.openDatabase('fan_out')
    await using guarded = await context.openDatabase('fan_out_policy')
    await using swarm = await openChild('clients/swarm')
    {
      await using ours = await serveRowcast(database)
      await using yoga = await serveYoga()
      await openClients(swarm, ours, 'sample', 1)
      const text = await swarm.call<string>('text', { group: 'sample' })
      await swarm.call('close', { group: 'sample' })
      await using bare = await serveBare(() => text)
      await compare(context, book, [ours, bare, yoga], swarm, [one, ten])
      {
        await using policed = await serveRowcast(guarded, [], 'policy')
        await compare(context, book, [policed, ours], swarm, [authorised])
      }
      await compare(context, book, [ours, yoga], swarm, [different], differentDocuments(many))
      // Below 10,000: a process may have 20,000 files open at most on many machines, and two servers share the swarm.
      await compare(context, book, [ours, bare], swarm, [huge])
    }
    const cpu = 'CPU µs/delivery'
    return {
      runs: book.runs,
      ratios: [
        ...book.ratio(one.scenario, cpu, 'rowcast', 'bare ws', '≤ 1.1'),
        ...book.ratio(huge.scenario, cpu, 'rowcast', 'bare ws', '≤ 1.1'),
        ...book.ratio(ten.scenario, cpu, 'rowcast', 'bare ws', '≤ 0.3'),
        ...book.ratio(one.scenario, cpu, 'Yoga + graphql-ws', 'rowcast', '≥ 6'),
        ...book.ratio(authorised.scenario, cpu, WITH_POLICY, 'rowcast', '≤ 1.2'),
        ...book.ratio(different.scenario, cpu, 'Yoga + graphql-ws', 'rowcast', '≥ 2'),
      ],
    }
  },
}
