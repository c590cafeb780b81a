/** One tap and several gateways that serve, each in its process. */
import { type Child, openChild } from './child.ts'
import type { RoleRequest } from './contenders/broker-rowcast.ts'
import type { BenchDatabase } from './database.ts'
import type { LiveServer } from './live-servers.ts'
import { insertSql } from './orders.ts'
import type { BenchRedis } from './redis.ts'

/** A tap and gateways that serve. */
export interface Fleet extends AsyncDisposable {
  readonly gateways: readonly LiveServer[]
}

/** Starts them on a fresh slot; `node` are options for the gateways' processes. */
export async function openFleet(
  database: BenchDatabase,
  redis: BenchRedis,
  count: number,
  slot: string,
  node: readonly string[] = [],
): Promise<Fleet> {
  await database.createSlot(slot)
  const request: RoleRequest = { url: database.url, slot, redisUrl: redis.url }
  const children: Child[] = []
  const open = async (options: { readonly node?: readonly string[] } = {}) => {
    const child = await openChild('contenders/broker-rowcast', options)
    children.push(child)
    return child
  }
  await (await open()).call('startTap', request)
  const gateways: LiveServer[] = []
  for (let number = 1; number <= count; number++) {
    const child = await open({ node })
    const address = await child.call<{ port: number; path: string }>('serve', request)
    const name = `gateway ${number} of ${count}`
    gateways.push({
      ...{ name, child, isGraphql: true, ...address },
      fire: (changes) => fire(database, changes),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    })
  }
  return {
    gateways,
    async [Symbol.asyncDispose]() {
      for (const child of children) await child[Symbol.asyncDispose]()
      await database.dropSlot(slot)
    },
  }
}

let lastId = 0

/** One transaction of so many changes. */
export async function fire(database: BenchDatabase, changes: number): Promise<void> {
  const first = lastId + 1
  lastId += changes
  await database.query(insertSql(first, lastId))
}
