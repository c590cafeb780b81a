/** Ours, as a service: what `rowcast serve` runs. */
import { readFileSync } from 'node:fs'
import { defineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { silentLogger } from '../../src/log.ts'
import type { ContextSource, Session } from '../../src/server/context.ts'
import { createService } from '../../src/service.ts'
import { ORDERS_CATALOG } from '../orders.ts'

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

/** Between two looks at the CPU time. */
const TICK_MS = 5
let longestMicros = 0

/**
 * CPU time of the main thread in microseconds: what runs beside it, V8's own threads and others' processes, makes nobody's turn
 * longer. Linux says it of the thread; elsewhere it is the whole process's.
 */
function mainThreadMicros(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ', 1)[0]) / 1_000
  } catch {
    const { user, system } = process.cpuUsage()
    return user + system
  }
}

/** Begins to note the longest turn of the event loop, in CPU time: on a busy machine the time by the clock says little. */
function noteTurns(): void {
  let last = mainThreadMicros()
  setInterval(() => {
    const now = mainThreadMicros()
    longestMicros = Math.max(longestMicros, now - last)
    last = now
  }, TICK_MS)
}

/** The longest since it was asked last, in milliseconds. */
function longestTurn(): number {
  const ms = longestMicros / 1_000
  longestMicros = 0
  return ms
}

export const commands = { start, noteTurns, longestTurn }
