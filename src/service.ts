/**
 * The composition root of the service: a checked Config becomes rowcast, a GraphQL schema over it and a
 * server, started and stopped in order. The library is the same code without this file.
 */

import type { ModelSpec } from './catalog/model-catalog.ts'
import { prismaNameOf } from './catalog/prisma-omit.ts'
import type { Config, ServicePrismaClient } from './config/config.ts'
import { invariant } from './errors.ts'
import { type ActivityExposure, createActivityLog } from './graphql/activity/activity-log.ts'
import type { ChangeFeed } from './graphql/change-feed.ts'
import { secretFields } from './graphql/policy/secret-fields.ts'
import { servedSchema } from './graphql/served-schema.ts'
import type { ServiceSchemaOptions } from './graphql/service-types.ts'
import { createGuard, type Guard } from './guard.ts'
import type { Logger } from './logger.ts'
import { joinMetrics } from './observe/joined-metrics.ts'
import { type ConnectionCounts, createMetrics, type Metrics } from './observe/metrics.ts'
import { createDeliveryTracer, LateTracer } from './observe/tracing.ts'
import type { Rowcast } from './rowcast.ts'
import { createServer } from './server/create-server.ts'
import { createHealthServer } from './server/health/health-server.ts'
import type { HealthReport } from './server/health.ts'
import { limitsOf, readLimitsOf } from './server/limits/limits.ts'
import { healthOf } from './service-health.ts'
import {
  openSources,
  type ServiceSource,
  servedParts,
  servedStatus,
  withEachSource,
} from './service-sources.ts'
import type { SessionRows } from './sets/session-rows.ts'
import { stopParts } from './stop-parts.ts'
import { type ColdClient, WarmUp } from './warm-up.ts'

/** What the service needs beside its config. */
export interface ServiceOptions {
  readonly logger: Logger
  /** What GraphiQL shows in its first tab. */
  readonly graphiqlQuery?: string | undefined
}

/** The service while it lives. */
export interface Service {
  /** Of the only database, or of the first. */
  readonly rowcast: Rowcast
  readonly prisma: ServicePrismaClient
  /** By name; the only one has none. */
  readonly sources: ReadonlyMap<string, Pick<ServiceSource, 'rowcast' | 'prisma'>>
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
export async function createService(config: Config, options: ServiceOptions): Promise<Service> {
  const { logger } = options
  const sources = openSources(config, logger)
  const health = () => healthOf(sources)
  if (config.scaling.role === 'tap') return createTapService({ config, sources, health, logger })
  for (const source of sources) {
    logLeftOut(source.config, logger)
    logSecretFields(source.config, logger)
  }
  const parts = servedParts(sources)
  const activity =
    config.livePage === null
      ? undefined
      : exposeActivity(sources, parts.feed, config.livePage, createGuard(logger))
  const metrics = createMetricsOf(config, sources, () => server.connections())
  const guard = createGuard(logger)
  const warmUp = new WarmUp()
  const warm = guard.wrap('warm up', () => warmUp.run(sources.map(coldClientOf)))
  const tracer = new LateTracer()
  const traceDelivery = createDeliveryTracer(tracer, guard)
  const traceDeliveries = guard.wrap('load a tracer', () =>
    tracer.load(() => withEachSource(sources, ({ rowcast }) => rowcast.ready())),
  )
  const schemaOptions: ServiceSchemaOptions = {
    canExplain: config.canExplain ?? undefined,
    ...{ catalog: parts.catalog, prisma: parts.wholePrisma, feed: parts.feed, models: parts.models },
    reads: readLimitsOf(limitsOf(config.security.limits)),
    showMetadata: config.showMetadata,
    mayChooseOverflow: config.slowSubscribers.mayClientsChoose,
  }
  const server = createServer({
    schema: await servedSchema(config, schemaOptions, parts.prisma),
    sessions: sessionsOf(sources),
    activitySchema: activity && (await activitySchema(schemaOptions, activity)),
    logger,
    health: () => warmUp.applyTo(health()),
    host: config.host,
    port: config.port,
    graphiql: config.graphiql,
    graphiqlQuery: options.graphiqlQuery,
    metrics: exposeMetrics(config, metrics),
    onDocumentRefused: (why) => metrics?.onDocumentRefused(why),
    onDelivered(delivery) {
      metrics?.onDelivered(delivery)
      traceDelivery()
    },
    ...config.security,
  })
  return {
    ...faceOf(sources),
    async start() {
      const address = await server.listen()
      for (const { rowcast } of sources) rowcast.start()
      warm()
      activity?.log.start()
      traceDeliveries()
      return address
    },
    revalidateSessions: () => server.revalidateSessions(),
    stop() {
      // First the slots, so that another process can have them; then what is in the queues, and the word where to go on.
      return stopParts([
        () => warmUp.stop(),
        () => activity?.log.stop(),
        () => server.refuse(),
        () => withEachSource(sources, ({ rowcast }) => rowcast.stop({ tellsSubscribers: true })),
        () => server.drain(),
        () => server.close(),
        () => withEachSource(sources, ({ prisma }) => disconnect(prisma)),
        () => metrics?.close(),
      ])
    },
  }
}

/** Loaded where it is shown: it needs Pothos. */
async function activitySchema(options: ServiceSchemaOptions, activity: ActivityExposure) {
  const { buildActivitySchema } = await import('./graphql/activity/activity-schema.ts')
  return buildActivitySchema(options, activity)
}

/** What a service shows of its databases. */
function faceOf(sources: readonly ServiceSource[]): Pick<Service, 'rowcast' | 'prisma' | 'sources'> {
  const [first] = sources
  invariant(first !== undefined, 'A service has no database.')
  const named = sources.map(({ name, rowcast, prisma }) => [name ?? '', { rowcast, prisma }] as const)
  return { rowcast: first.rowcast, prisma: first.prisma, sources: new Map(named) }
}

/** Who is asked before clients come, and for what. */
const coldClientOf = ({ prisma, config: { catalog } }: ServiceSource): ColdClient => ({
  prisma,
  models: Object.values<ModelSpec>(catalog.models).flatMap((spec) =>
    spec.isOmitted ? [] : [prismaNameOf(spec)],
  ),
})

/** Followed where their model is. */
function sessionsOf(sources: readonly ServiceSource[]): SessionRows | undefined {
  const [followed] = sources.flatMap(({ config: { sessions }, rowcast }) =>
    sessions === null ? [] : [rowcast.followSessions(sessions)],
  )
  return followed
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

/** A tap serves nobody: it reads the slots, and says how it is. */
function createTapService(parts: {
  readonly config: Config
  readonly sources: readonly ServiceSource[]
  readonly health: () => HealthReport
  readonly logger: Logger
}): Service {
  const { config, sources, health, logger } = parts
  const { host, port } = config
  const metrics = createMetricsOf(config, sources)
  const { limits, trustedProxyCount } = config.security
  const server = createHealthServer({
    ...{ host, port, health, logger, limits, trustedProxyCount },
    metrics: exposeMetrics(config, metrics),
  })
  return {
    ...faceOf(sources),
    async start() {
      const address = await server.listen()
      for (const { rowcast } of sources) rowcast.start()
      return address
    },
    async revalidateSessions() {},
    stop() {
      return stopParts([
        () => server.close(),
        () => withEachSource(sources, ({ rowcast }) => rowcast.stop()),
        () => withEachSource(sources, ({ prisma }) => disconnect(prisma)),
        () => metrics?.close(),
      ])
    },
  }
}

/** With the name of the database at each sample where there are several. */
function createMetricsOf(
  { metrics }: Config,
  sources: readonly ServiceSource[],
  connections?: () => ConnectionCounts,
): Metrics | null {
  if (metrics === null) return null
  const each = sources.map(({ name, rowcast }) => ({
    ...{ name: name ?? '', models: rowcast.models },
    metrics: createMetrics(rowcast, { connections }),
  }))
  const [first, ...others] = each
  invariant(first !== undefined, 'A service has no database.')
  return others.length === 0 ? first.metrics : joinMetrics([first, ...others])
}

/** What `/metrics` serves, and to whom. */
function exposeMetrics({ metrics: guard }: Config, metrics: Metrics | null) {
  return guard === null || metrics === null ? undefined : { ...metrics, ...guard }
}

/** What the live page shows, kept from the start on. */
function exposeActivity(
  sources: readonly ServiceSource[],
  feed: ChangeFeed,
  { authorize }: NonNullable<Config['livePage']>,
  guard: Guard,
): ActivityExposure {
  const models = sources.flatMap(({ rowcast }) => rowcast.models)
  const status = () => servedStatus(sources)
  return { authorize, log: createActivityLog({ feed, models, status, guard }) }
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
