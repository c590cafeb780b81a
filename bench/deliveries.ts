/** What a delivery costs each of several servers, measured in turns. */
import { type BenchContext, RunBook } from './benchmark.ts'
import type { Child } from './child.ts'
import { type LiveServer, openClients } from './live-servers.ts'

const TIMEOUT_MS = 60_000
const WARM_UPS = 3

/** One measurement: so many transactions of so many changes to so many clients. */
export interface Load {
  readonly scenario: string
  readonly clients: number
  readonly transactions: number
  readonly changes: number
  /** How many messages of each transaction come to a client. @default as many as changes */
  readonly messages?: number | undefined
}

async function measure(book: RunBook, swarm: Child, server: LiveServer, group: string, load: Load) {
  const { scenario, clients, transactions, changes, messages = changes } = load
  const before = await server.child.usage()
  const startedMs = performance.now()
  for (let n = 0; n < transactions; n++) {
    await swarm.call('reset', { group })
    await server.fire(changes)
    const count = clients * messages
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

/** Where it is noted, and who receives. */
export interface DeliveryBench {
  readonly context: BenchContext
  readonly book: RunBook
  readonly swarm: Child
}

/** All loads on all servers in turns; every client of every server stays connected meanwhile. */
export async function compareDeliveries(
  { context, book, swarm }: DeliveryBench,
  servers: readonly LiveServer[],
  loads: readonly Load[],
  documents?: readonly string[],
): Promise<void> {
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
