/** What Yoga's documentation offers past one machine: pg-logical-replication into createPubSub over Redis' PUBLISH. */
import { createRedisEventTarget } from '@graphql-yoga/redis-event-target'
import { createPubSub } from 'graphql-yoga'
import { Redis } from 'ioredis'
import { LogicalReplicationService, PgoutputPlugin } from 'pg-logical-replication'
import { PUBLICATION } from '../database.ts'
import { readAllFields } from '../orders.ts'
import type { RoleRequest } from './broker-rowcast.ts'

type Row = Record<string, unknown>
interface OrderChange {
  readonly action: string
  readonly old: Row | null
  readonly new: Row | null
}

function createHub(redisUrl: string) {
  return createPubSub<{ orderChanged: [OrderChange] }>({
    eventTarget: createRedisEventTarget({
      publishClient: new Redis(redisUrl),
      subscribeClient: new Redis(redisUrl),
    }),
  })
}

function startTap({ url, slot, redisUrl }: RoleRequest): void {
  const hub = createHub(redisUrl)
  const service = new LogicalReplicationService({ connectionString: url })
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [PUBLICATION] })
  service.on('data', (_lsn: string, message: { tag: string; old?: Row | null; new?: Row | null }) => {
    if (message.tag !== 'insert' && message.tag !== 'update') return
    const { tag, old = null, new: now = null } = message
    hub.publish('orderChanged', { action: tag.toUpperCase(), old, new: now })
  })
  service.on('error', (error) => {
    throw error
  })
  void service.subscribe(plugin, slot)
}

/** Resolves when so many changes have come; Redis' PUBLISH keeps nothing for those who come later. */
async function drain({ redisUrl, changes }: RoleRequest & { readonly changes: number }): Promise<void> {
  const hub = createHub(redisUrl)
  let rest = changes
  let values = 0
  for await (const change of hub.subscribe('orderChanged')) {
    values += readAllFields(change.new) + readAllFields(change.old)
    rest -= 1
    if (rest === 0) break
  }
  if (values < changes) throw new Error(`${values} values in ${changes} changes`)
}

export const commands = { startTap, drain, stop() {} }
