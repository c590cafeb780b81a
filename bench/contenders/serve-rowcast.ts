/** Ours, as a service: what `rowcast serve` runs. */
import { boundGarbage } from '../../src/cli/bound-garbage.ts'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/log.ts'
import type { ContextSource, Session } from '../../src/server/session/context.ts'
import { createService } from '../../src/service.ts'
import { ORDERS_CATALOG } from '../orders.ts'
import { turnCommands } from '../turns.ts'

/** No query and no relation field is asked for. */
const PRISMA = { async $connect() {}, async $disconnect() {} }

/** How to serve. */
interface StartRequest {
  readonly url: string
  readonly slot: string
  /** Whether each client has an audience of its own or shares one, and sees rows by a policy. */
  readonly hasPolicy: boolean
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

async function start({ url, slot, hasPolicy }: StartRequest) {
  boundGarbage()
  const config = defineConfig({
    ...{ catalog: ORDERS_CATALOG, createPrisma: () => PRISMA, slot, port: 0 },
    ...(hasPolicy ? POLICY : { public: true, context: letIn }),
  })
  const service = createService(resolveConfig(config, { DATABASE_URL: url, NODE_ENV: 'production' }), {
    logger: silentLogger,
  })
  const { port } = await service.start()
  await service.rowcast.ready()
  return { port, path: '/graphql' }
}

export const commands = { start, ...turnCommands }
