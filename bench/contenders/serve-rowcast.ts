/** Ours, as a service: what `rowcast serve` runs. */

import { defineConfig } from '../../src/config.ts'
import { silentLogger } from '../../src/log.ts'
import { resolveConfig } from '../../src/resolve-config.ts'
import { createService } from '../../src/service.ts'
import { ORDERS_CATALOG } from '../orders.ts'

/** No query and no relation field is asked for. */
const PRISMA = { async $connect() {}, async $disconnect() {} }

async function start({ url, slot }: { readonly url: string; readonly slot: string }) {
  const config = defineConfig({
    catalog: ORDERS_CATALOG,
    createPrisma: () => PRISMA,
    public: true,
    slot,
    port: 0,
  })
  const service = createService(resolveConfig(config, { DATABASE_URL: url, NODE_ENV: 'production' }), {
    logger: silentLogger,
  })
  const { port } = await service.start()
  await service.rowcast.ready()
  return { port, path: '/graphql' }
}

export const commands = { start }
