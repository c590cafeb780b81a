/**
 * The composition root of the service: a checked Config becomes rowcast, a GraphQL schema over it and a
 * server, started and stopped in order. The library is the same code without this file.
 */

import type { GraphQLSchema } from 'graphql'
import type { ModelSpec } from './catalog/model-catalog.ts'
import type { Config, ServicePrismaClient } from './config/config.ts'
import { type ActivityExposure, createActivityLog } from './graphql/activity/activity-log.ts'
import { buildActivitySchema } from './graphql/activity/activity-schema.ts'
import { buildOwnSchema } from './graphql/own-schema.ts'
import { secretFields } from './graphql/policy/secret-fields.ts'
import { buildServiceSchema } from './graphql/service-schema.ts'
import type { ServiceSchemaOptions } from './graphql/service-types.ts'
import { shownByPrisma } from './graphql/shown-models.ts'
import { createGuard, type Guard } from './guard.ts'
import type { Logger } from './log.ts'
import { type ConnectionCounts, createMetrics, type Metrics } from './observe/metrics.ts'
import { createDeliveryTracer, loadTracer } from './observe/tracing.ts'
import { createRowcast, type Rowcast } from './rowcast.ts'
import { createServer } from './server/create-server.ts'
import { createHealthServer } from './server/health/health-server.ts'
import type { HealthReport } from './server/health.ts'
import { limitsOf } from './server/limits/limits.ts'
import { toHealthReport } from './service-health.ts'
import { withStatementTimeout } from './source/db/statement-timeout.ts'
import { stopParts } from './stop-parts.ts'

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
  /**
   * Takes no one new, confirms to PostgreSQL and lets the slot go, delivers what waits, ends subscriptions with
   * SERVER_STOPPING and the cursor to go on after, and closes connections, in this order and within bounds.
   */
  stop(): Promise<void>
}

/**
 * Wires a service; nothing connects or listens before `start()`.
 * @throws CONFIG_…, CATALOG_…, GRAPHQL_BAD_SCHEMA
 */
export function createService(given: Config, options: ServiceOptions): Service {
  const reads = readLimitsOf(given)
  const prisma = createQueryClient(given, reads.timeoutMs)
  const config = shownByPrisma(given, prisma)
  const { catalog, models } = config
  const { logger } = options
  const rowcast = createConfiguredRowcast(config, prisma, logger)
  const health = () => toHealthReport(rowcast.status())
  if (config.scaling.role === 'tap') return createTapService({ config, rowcast, prisma, health, logger })
  logLeftOut(config, logger)
  logSecretFields(config, logger)
  const activity =
    config.livePage === null ? undefined : exposeActivity(rowcast, config.livePage, createGuard(logger))
  const metrics = createMetricsOf(config, rowcast, () => server.connections())
  let traceDelivery: (() => void) | null = null
  const schemaOptions: ServiceSchemaOptions = {
    canExplain: config.canExplain ?? undefined,
    catalog,
    prisma,
    reads,
    feed: rowcast,
    models,
    showMetadata: config.showMetadata,
    mayChooseOverflow: config.slowSubscribers.mayClientsChoose,
  }
  const server = createServer({
    schema: servedSchema(config, schemaOptions),
    activitySchema: activity && buildActivitySchema(schemaOptions, activity),
    logger,
    health,
    host: config.host,
    port: config.port,
    graphiql: config.graphiql,
    graphiqlQuery: options.graphiqlQuery,
    metrics: exposeMetrics(config, metrics),
    onDocumentRefused: (why) => metrics?.onDocumentRefused(why),
    onDelivered(delivery) {
      metrics?.onDelivered(delivery)
      traceDelivery?.()
    },
    ...config.security,
  })
  return {
    rowcast,
    prisma,
    async start() {
      const address = await server.listen()
      rowcast.start()
      activity?.log.start()
      const tracer = await loadTracer()
      if (tracer !== null) traceDelivery = createDeliveryTracer(tracer, createGuard(logger))
      return address
    },
    revalidateSessions: () => server.revalidateSessions(),
    stop() {
      // First the slot, so that another process can have it; then what is in the queues, and the word where to go on.
      return stopParts([
        () => activity?.log.stop(),
        () => server.refuse(),
        () => rowcast.stop({ tellsSubscribers: true }),
        () => server.drain(),
        () => server.close(),
        () => disconnect(prisma),
        () => metrics?.close(),
      ])
    },
  }
}

/** The application's own, or the one that is made of the catalog. */
function servedSchema({ makeSchema }: Config, options: ServiceSchemaOptions): GraphQLSchema {
  if (makeSchema === null) return buildServiceSchema(options)
  const { feed, prisma, models } = options
  return buildOwnSchema(makeSchema, { feed, prisma, policies: new Map(Object.entries(models)) })
}

/** What the library is given of the config, with its live models registered. */
function createConfiguredRowcast(config: Config, prisma: ServicePrismaClient, logger: Logger): Rowcast {
  const { catalog, databaseUrl, models, publication } = config
  const rowcast = createRowcast({
    catalog,
    connectionString: databaseUrl,
    // For what queries see: changeCursor, and relation fields that wait for their transaction.
    prisma,
    slot: config.isSlotDefault ? undefined : config.slot,
    publication,
    metadata: config.metadata,
    logger,
    enableOnStart: true,
    ...config.durability,
    ...config.scaling,
    queueLengthMax: config.slowSubscribers.queueLengthMax,
    heldBytesMax: config.slowSubscribers.heldBytesMax,
    overflow: config.slowSubscribers.policy,
  })
  for (const [model, { live, ...options }] of Object.entries(models)) {
    if (live !== false) rowcast.register(model, options)
  }
  return rowcast
}

function readLimitsOf({ security: { limits } }: Config) {
  const { queryTimeoutMs, queryRowsMax, queryReadBytesMax, queriesReadBytesMax } = limitsOf(limits)
  return {
    timeoutMs: queryTimeoutMs,
    rowsMax: queryRowsMax,
    operationBytesMax: queryReadBytesMax,
    totalBytesMax: queriesReadBytesMax,
  }
}

/** A gateway may ask through a pooler, and those refuse connections that bring settings. */
function createQueryClient(config: Config, timeoutMs: number): ServicePrismaClient {
  const { createPrisma, databaseUrl, scaling } = config
  return createPrisma(scaling.role === 'gateway' ? databaseUrl : withStatementTimeout(databaseUrl, timeoutMs))
}

/** How long the application's pool may take to end: it waits for answers that a silent network may have swallowed. */
const DISCONNECT_TIMEOUT_MS = 3_000

async function disconnect(prisma: ServicePrismaClient): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, DISCONNECT_TIMEOUT_MS)
  })
  await Promise.race([prisma.$disconnect(), timeout])
  clearTimeout(timer)
}

/** A tap serves nobody: it reads the slot, and says how it is. */
function createTapService(parts: {
  readonly config: Config
  readonly rowcast: Rowcast
  readonly prisma: ServicePrismaClient
  readonly health: () => HealthReport
  readonly logger: Logger
}): Service {
  const { config, rowcast, prisma, health, logger } = parts
  const { host, port } = config
  const metrics = createMetricsOf(config, rowcast)
  const server = createHealthServer({ host, port, health, logger, metrics: exposeMetrics(config, metrics) })
  return {
    ...{ rowcast, prisma },
    async start() {
      const address = await server.listen()
      rowcast.start()
      return address
    },
    async revalidateSessions() {},
    stop() {
      return stopParts([
        () => server.close(),
        () => rowcast.stop(),
        () => disconnect(prisma),
        () => metrics?.close(),
      ])
    },
  }
}

function createMetricsOf(
  { metrics }: Config,
  rowcast: Rowcast,
  connections?: () => ConnectionCounts,
): Metrics | null {
  return metrics === null ? null : createMetrics(rowcast, { connections })
}

/** What `/metrics` serves, and to whom. */
function exposeMetrics({ metrics: guard }: Config, metrics: Metrics | null) {
  return guard === null || metrics === null ? undefined : { ...metrics, ...guard }
}

/** What the live page shows, kept from the start on. */
function exposeActivity(
  rowcast: Rowcast,
  { authorize }: NonNullable<Config['livePage']>,
  guard: Guard,
): ActivityExposure {
  const { models, status } = rowcast
  return { authorize, log: createActivityLog({ feed: rowcast, models, status, guard }) }
}

/** Models that GraphQL has no type for. */
function logLeftOut({ leftOut }: Config, logger: Logger): void {
  if (leftOut.length === 0) return
  logger.warn('Models without a field that may be seen are left out of the schema.', {
    models: leftOut.join(', '),
    hint: 'Name a field in `expose` of the model if it may be shown, or mark the model `/// @rowcast.omit`.',
  })
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
    hint: 'Name them in `expose` of their model if they may be shown, or mark them `/// @rowcast.omit`.',
  })
}
