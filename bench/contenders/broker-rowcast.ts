/** Ours past one machine: this process is a tap, or a gateway that counts or serves. */
import { boundGarbage } from '../../src/cli/bound-garbage.ts'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/logger.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { createService } from '../../src/service.ts'
import { PUBLICATION } from '../database.ts'
import { ORDERS_CATALOG, readAllFields } from '../orders.ts'
import { turnCommands } from '../turns.ts'

/** Where a role finds its work. */
export interface RoleRequest {
  readonly url: string
  readonly slot: string
  readonly redisUrl: string
}

function create(role: 'tap' | 'gateway', { url, slot, redisUrl }: RoleRequest) {
  const rowcast = createRowcast({
    ...{ catalog: ORDERS_CATALOG, connectionString: url, slot, publication: PUBLICATION },
    ...{ role, broker: { url: redisUrl, prefix: slot } },
  })
  rowcast.register('Order')
  return rowcast
}

let running: { stop(): Promise<void> } | null = null

async function startTap(request: RoleRequest): Promise<void> {
  const tap = create('tap', request)
  running = tap
  tap.start()
}

/** Resolves when so many changes have come, read to the last field. */
async function drain({ changes, ...request }: RoleRequest & { readonly changes: number }): Promise<void> {
  const gateway = create('gateway', request)
  running = gateway
  gateway.start()
  let rest = changes
  let values = 0
  for await (const change of gateway.subscribe('Order', { after: 'earliest' })) {
    values += readAllFields(change.new) + readAllFields(change.old)
    rest -= 1
    if (rest === 0) break
  }
  if (values < changes) throw new Error(`${values} values in ${changes} changes`)
}

async function stop(): Promise<void> {
  await running?.stop()
}

const PRISMA = { async $connect() {}, async $disconnect() {} }

/** `rowcast serve --role gateway`. */
async function serve({ url, slot, redisUrl }: RoleRequest) {
  boundGarbage()
  const config = defineConfig({
    ...{ catalog: ORDERS_CATALOG, createPrisma: () => PRISMA, slot, port: 0, public: true },
    ...{ role: 'gateway' as const, broker: { url: redisUrl, prefix: slot } },
  })
  const service = await createService(resolveConfig(config, { DATABASE_URL: url, NODE_ENV: 'production' }), {
    logger: silentLogger,
  })
  const { port } = await service.start()
  await service.rowcast.ready()
  return { port, path: '/graphql' }
}

export const commands = { startTap, drain, stop, serve, ...turnCommands }
