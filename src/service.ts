/**
 * The composition root of the service: a checked Config becomes rowcast, a GraphQL schema over it and a
 * server, started and stopped in order. The library is the same code without this file.
 */

import type { ModelSpec } from './catalog/model-catalog.ts'
import type { Config, ServicePrismaClient } from './config.ts'
import { secretFields } from './graphql/policy/secret-fields.ts'
import { buildServiceSchema } from './graphql/service-schema.ts'
import type { Logger } from './log.ts'
import { createRowcast, type Rowcast } from './rowcast.ts'
import { createServer } from './server/create-server.ts'
import type { HealthReport } from './server/health.ts'
import type { SourceStatus } from './source/replication-source.ts'

/** What the service needs beside its config. */
export interface ServiceOptions {
  readonly logger: Logger
  /** What GraphiQL shows in its first tab. */
  readonly graphiqlQuery?: string | undefined
}

/** The service while it lives. */
export interface Service {
  readonly rowcast: Rowcast
  readonly prisma: ServicePrismaClient
  /**
   * Listens, then connects to PostgreSQL in the background, however long that takes.
   * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED
   */
  start(): Promise<{ readonly url: string; readonly port: number }>
  /** Asks the session of every open connection now whether it still holds, and ends those that do not. */
  revalidateSessions(): Promise<void>
  /** Ends clients, the replication connection and the Prisma Client, in this order. */
  stop(): Promise<void>
}

/**
 * Wires a service; nothing connects or listens before `start()`.
 * @throws CONFIG_…, CATALOG_…, GRAPHQL_BAD_SCHEMA
 */
export function createService(config: Config, options: ServiceOptions): Service {
  const { catalog, databaseUrl, models, slot, publication } = config
  const { logger } = options
  const prisma = config.createPrisma(databaseUrl)
  const rowcast = createRowcast({
    catalog,
    connectionString: databaseUrl,
    // For what queries see: changeCursor, and relation fields that wait for their transaction.
    prisma,
    slot,
    publication,
    logger,
    enableOnStart: true,
    ...config.durability,
    queueLengthMax: config.slowSubscribers.queueLengthMax,
    overflow: config.slowSubscribers.policy,
  })
  for (const [model, { live, ...options }] of Object.entries(models)) {
    if (live !== false) rowcast.register(model, options)
  }
  logSecretFields(config, logger)
  const server = createServer({
    schema: buildServiceSchema({
      catalog,
      prisma,
      feed: rowcast,
      models,
      mayChooseOverflow: config.slowSubscribers.mayClientsChoose,
    }),
    logger,
    health: () => toHealthReport(rowcast.status()),
    host: config.host,
    port: config.port,
    graphiql: config.graphiql,
    graphiqlQuery: options.graphiqlQuery,
    ...config.security,
  })
  return {
    rowcast,
    prisma,
    async start() {
      const address = await server.listen()
      rowcast.start()
      return address
    },
    revalidateSessions: () => server.revalidateSessions(),
    async stop() {
      await server.close()
      await rowcast.stop()
      await prisma.$disconnect()
    },
  }
}

/** What is not in the schema although nobody said so: whoever misses it learns why. */
function logSecretFields({ catalog, models }: Config, logger: Logger): void {
  const fields = Object.values<ModelSpec>(catalog.models)
    .filter((model) => !model.isOmitted)
    .flatMap((model) => {
      const policy = models[model.name] ?? {}
      const omitted = new Set(policy.omit)
      return secretFields(model, policy).flatMap((name) =>
        omitted.has(name) ? [] : [`${model.name}.${name}`],
      )
    })
  if (fields.length === 0) return
  logger.info('Fields that look like secrets are left out of the schema.', {
    fields: fields.join(', '),
    mend: 'Name them in `expose` of their model if they may be shown, or mark them `/// @rowcast.omit`.',
  })
}

/** Ready only while changes flow and none from before is still to come. The code says what is in the way; its text is for the log. */
function toHealthReport({
  state,
  isReady,
  isCatchingUp,
  slot,
  positions,
  slotHealth,
  lastError,
}: SourceStatus): HealthReport {
  const { confirmedLsn, lagBytes } = positions
  return {
    isReady,
    details: {
      ...{ replication: state, isCatchingUp, slot, confirmedLsn, lagBytes },
      slotRetainedBytes: slotHealth?.retainedBytes ?? null,
      error: lastError?.code ?? null,
    },
  }
}
