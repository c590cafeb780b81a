/** The servers that WebSocket benchmarks compare, each in its process, and how a change is made in each. */
import { type Child, openChild } from './child.ts'
import type { SwarmRequest } from './clients/swarm.ts'
import type { Served } from './contenders/serve-rowcast.ts'
import type { BenchDatabase } from './database.ts'
import { insertSql, ORDER_SELECTION } from './orders.ts'

/** What every client asks for, unless a benchmark says otherwise. */
export const DOCUMENT = `subscription { orderChanged { action new { ${ORDER_SELECTION} } transaction { xid } } }`

/** Ours, where a policy says who sees which rows. */
export const WITH_POLICY = 'rowcast with a policy'

/** A server that delivers. */
export interface LiveServer extends AsyncDisposable {
  readonly name: string
  readonly child: Child
  readonly port: number
  readonly path: string
  readonly isGraphql: boolean
  /** How its clients subscribe. @default WebSocket */
  readonly isEventStream?: boolean | undefined
  /** Makes so many changes at once: one transaction, one turn. */
  fire(changes: number): Promise<unknown>
}

/** Ours, fed by a slot of its own; with a policy it is named after it. */
export function serveRowcast(
  database: BenchDatabase,
  node: readonly string[] = [],
  served: Served = 'orders',
): Promise<LiveServer> {
  const name = served === 'policy' ? WITH_POLICY : 'rowcast'
  return serveFromSlot(database, { name, module: 'contenders/serve-rowcast', node, request: { served } })
}

/** A contender that is ours, and what it gets to know beside where its slot is. */
interface SlotServer {
  readonly name: string
  readonly module: string
  readonly node?: readonly string[]
  readonly request?: object
}

/** A server with rowcast in it, fed by a slot of its own. */
export async function serveFromSlot(
  database: BenchDatabase,
  { name, module, node = [], request = {} }: SlotServer,
): Promise<LiveServer> {
  const slot = `serve_${database.name}`
  await database.createSlot(slot)
  const child = await openChild(module, { node })
  const address = await child.call<Address>('start', { url: database.url, slot, ...request })
  let lastId = 0
  return {
    ...{ name, child, isGraphql: true, ...address },
    async fire(changes) {
      const first = lastId + 1
      lastId += changes
      await database.query(insertSql(first, lastId))
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]()
      await database.dropSlot(slot)
    },
  }
}

/** Stock Yoga and graphql-ws; with a database behind pg-logical-replication, without one fired by hand. */
export async function serveYoga(database?: BenchDatabase): Promise<LiveServer> {
  const slot = database === undefined ? undefined : `yoga_${database.name}`
  if (slot !== undefined) await database?.createSlot(slot)
  const child = await openChild('contenders/serve-yoga', { node: ['--no-warnings'] })
  const address = await child.call<Address>('start', { url: database?.url, slot })
  return {
    ...{ name: 'Yoga + graphql-ws', child, isGraphql: true, ...address },
    fire: (changes) => child.call('fire', { changes }),
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]()
      if (slot !== undefined) await database?.dropSlot(slot)
    },
  }
}

/** A bare `ws` server that sends the text. */
export async function serveBare(text: () => string, node: readonly string[] = []): Promise<LiveServer> {
  const child = await openChild('contenders/serve-ws', { node })
  const address = await child.call<Address>('start')
  return {
    ...{ name: 'bare ws', child, isGraphql: false, ...address },
    fire: (changes) => child.call('fire', { changes, text: text() }),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

interface Address {
  readonly port: number
  readonly path: string
}

/** Opens clients of a server as a group of the swarm, and waits until each has got a first change. */
export async function openClients(
  swarm: Child,
  server: LiveServer,
  group: string,
  clients: number,
  documents: readonly string[] = [DOCUMENT],
): Promise<void> {
  const { port, path, isGraphql, isEventStream = false } = server
  const asked = isGraphql ? documents : []
  const request: SwarmRequest = { group, port, path, clients, documents: asked, isEventStream }
  await swarm.call('open', request)
  // GraphQL has no word for "subscribed": what every client gets, every client waits for.
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    await swarm.call('reset', { group })
    await server.fire(1)
    if (await swarm.call<boolean>('reach', { group, count: clients, timeoutMs: 2_000 })) return
  }
  throw new Error(`Not all of ${clients} clients of ${server.name} get what is sent.`)
}

const ATTEMPTS_MAX = 20
