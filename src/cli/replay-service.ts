/** Beside the spine, cli. The service of `rowcast replay --serve`: everything behind the bus, with no source before it. */

import type { ChangeBus } from '../bus/bus.ts'
import { createMemoryBus } from '../bus/memory-bus.ts'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import type { TransactionPart } from '../changes/change.ts'
import type { StreamOrigin } from '../changes/change-position.ts'
import { invariant } from '../errors.ts'
import type { ChangeFeed } from '../graphql/change-feed.ts'
import { servedSchema } from '../graphql/served-schema.ts'
import { createServer } from '../server/create-server.ts'
import { limitsOf, readLimitsOf } from '../server/limits/limits.ts'
import { createQueryClient } from '../service-sources.ts'
import { SEES_ALL } from '../source/db/visibility.ts'
import { toLsn } from '../wire/lsn.ts'
import { exampleSubscription } from './example-subscription.ts'
import { createTerminalLogger } from './loggers.ts'
import type { Project } from './project.ts'
import type { Terminal } from './terminal.ts'

/** A service whose changes are given to it. */
export interface ReplayService {
  start(): Promise<{ readonly url: string }>
  publish(part: TransactionPart): void
  hasSubscribers(): boolean
  stop(): Promise<void>
}

/** Before whatever was recorded: no server has written its log from the first byte on. */
const BEGINNING = toLsn(1n)

/** Wires it. @throws GRAPHQL_BAD_SCHEMA; SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED from `start()` */
export async function createReplayService(
  { config }: Project,
  origin: StreamOrigin,
  registry: RelationRegistry,
  notes: Terminal,
): Promise<ReplayService> {
  const { catalog, models } = config
  const bus = createMemoryBus({ models: catalog.models })
  const { systemId, timeline } = origin
  bus.open({ systemId, timeline, isFirst: true, floorLsn: BEGINNING, serverLsn: BEGINNING })
  const prisma = createQueryClient(config)
  const feed = createFeed(catalog, bus, registry, models)
  const reads = readLimitsOf(limitsOf(config.security.limits))
  const server = createServer({
    ...config.security,
    schema: await servedSchema(config, { catalog, prisma, models, feed, reads }, prisma),
    logger: createTerminalLogger(notes, false),
    health: () => ({ isReady: true, details: { replication: 'recording' } }),
    host: config.host,
    port: config.port,
    graphiql: config.graphiql,
    graphiqlQuery: exampleSubscription(catalog, models),
  })
  return {
    start: () => server.listen(),
    publish: (part) => bus.publish(part),
    hasSubscribers: () => [...bus.subscriptionCounts.values()].some((count) => count > 0),
    async stop() {
      await server.close()
      bus.close()
      await prisma.$disconnect()
    },
  }
}

function createFeed(
  catalog: Project['config']['catalog'],
  bus: ChangeBus,
  registry: RelationRegistry,
  models: Project['config']['models'],
): ChangeFeed {
  return {
    catalog,
    isRegistered: (model) => models[model] !== undefined && models[model].live !== false,
    subscribeDeliveries: (request) => bus.subscribe(request),
    async changeCursor() {
      const cursor = bus.cursorBefore(SEES_ALL)
      invariant(cursor !== null, 'The recording is open, but the bus knows no position.')
      return cursor
    },
    async whenVisible() {},
    hasOldImages: (model) => registry.hasOldImages(model),
  }
}
