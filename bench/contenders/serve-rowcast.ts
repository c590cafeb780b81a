/** Ours, as a service: what `rowcast serve` runs. */
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog as SAMPLE } from '../../prisma/generated/rowcast.ts'
import { boundGarbage } from '../../src/cli/bound-garbage.ts'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/logger.ts'
import type { ContextSource, Session } from '../../src/server/session/context.ts'
import { createService } from '../../src/service.ts'
import { ORDERS_CATALOG } from '../orders.ts'
import { turnCommands } from '../turns.ts'
import { ownSchema } from './own-schema.ts'

/** No query and no relation field is asked for. */
const PRISMA = { async $connect() {}, async $disconnect() {} }

/**
 * What is served: orders to everybody; the same to clients each of whom has an audience of its own or shares one, and sees rows by
 * a policy; or orders, and the sample's models for queries alone; or with live comments beside the orders; or orders in a schema of the team's own.
 */
export type Served = 'orders' | 'policy' | 'related' | 'lists' | 'own schema'

/** How to serve. */
interface StartRequest {
  readonly url: string
  readonly slot: string
  readonly served: Served
}

/** Every audience sees every order, but each by a condition of its own, which no index finds. */
const POLICY = {
  models: {
    Order: { rows: (context: object) => ({ id: { gt: -Number(Reflect.get(context, 'audience')) } }) },
  },
  context: (source: ContextSource) => ({
    context: { audience: source.kind === 'websocket' ? source.connectionParams['audience'] : 0 },
  }),
}

/** Nobody can say who some clients are. */
function letIn(source: ContextSource): Session | Promise<Session> {
  const isUnknown = source.kind === 'websocket' && source.connectionParams['token'] === 'hang'
  return isUnknown ? new Promise(() => undefined) : { context: {} }
}

/** The sample's models beside the orders, with an application's own Prisma Client. */
function relatedConfig(live: readonly string[] = []) {
  const models = Object.keys(SAMPLE.models).map((name) => [name, { live: live.includes(name), public: true }])
  return {
    catalog: { ...SAMPLE, models: { ...SAMPLE.models, ...ORDERS_CATALOG.models } },
    createPrisma: (connectionString: string) =>
      new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
    models: { ...Object.fromEntries(models), Order: { public: true } },
    context: letIn,
  }
}

const CONFIGS = {
  orders: (common: Common) => defineConfig({ ...ORDERS, ...common, public: true, context: letIn }),
  'own schema': (common: Common) =>
    defineConfig({
      ...{ ...ORDERS, ...common, public: true, context: letIn },
      schema: ({ feed }) => ownSchema(feed),
    }),
  policy: (common: Common) => defineConfig({ ...ORDERS, ...common, ...POLICY }),
  related: (common: Common) => defineConfig({ ...relatedConfig(), ...common }),
  lists: (common: Common) => defineConfig({ ...relatedConfig(['Comment']), ...common }),
}

const ORDERS = { catalog: ORDERS_CATALOG, createPrisma: () => PRISMA }

/** What all have. */
interface Common {
  readonly slot: string
  readonly port: number
}

async function start({ url, slot, served }: StartRequest) {
  boundGarbage()
  const env = { DATABASE_URL: url, NODE_ENV: 'production' }
  const service = await createService(resolveConfig(CONFIGS[served]({ slot, port: 0 }), env), {
    logger: silentLogger,
  })
  const { port } = await service.start()
  await service.rowcast.ready()
  return { port, path: '/graphql' }
}

export const commands = { start, ...turnCommands }
