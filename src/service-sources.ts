/** Beside the spine, service. The databases of a service: a rowcast and a Prisma Client for each, and what they are together. */
import { renameModels } from './catalog/joined-catalog.ts'
import type { ModelCatalog } from './catalog/model-catalog.ts'
import { withWholeRows } from './catalog/prisma-omit.ts'
import type { Config, ServicePrismaClient } from './config/config.ts'
import type { ChangeFeed } from './graphql/change-feed.ts'
import { joinSources } from './graphql/joined-sources.ts'
import { shownByPrisma } from './graphql/shown-models.ts'
import { namesInOneSchema, type Renames } from './graphql/source-names.ts'
import type { LogFields, Logger } from './logger.ts'
import { createRowcast, type Rowcast, type RowcastStatus } from './rowcast.ts'
import { limitsOf } from './server/limits/limits.ts'
import { withStatementTimeout } from './source/db/statement-timeout.ts'

/** One database of a service. */
export interface ServiceSource {
  /** Null where it is the only one. */
  readonly name: string | null
  /** With the models as the schema has them. */
  readonly config: Config
  readonly prisma: ServicePrismaClient
  readonly rowcast: Rowcast
}

/** What a schema is made of, whatever is behind it. */
export interface ServedParts {
  readonly feed: ChangeFeed
  readonly prisma: ServicePrismaClient
  /** The same, whose rows have all fields. */
  readonly wholePrisma: ServicePrismaClient
  readonly catalog: ModelCatalog
  readonly models: Config['models']
}

/** The configs of the databases by their names; null of the only one. */
export function sourceConfigs(config: Config): readonly (readonly [string | null, Config])[] {
  return config.sources === null ? [[null, config]] : Object.entries(config.sources)
}

/** Makes them; nothing connects. @throws GRAPHQL_BAD_NAME, and what `createRowcast` throws */
export function openSources(config: Config, logger: Logger): readonly ServiceSource[] {
  const opened = sourceConfigs(config).map(([name, given]) => {
    const prisma = createQueryClient(given)
    return { name, prisma, config: shownByPrisma(given, prisma) }
  })
  const catalogs = opened.map(({ name, config: { catalog } }) => [name ?? '', catalog] as const)
  const renames = config.sources === null ? null : namesInOneSchema(Object.fromEntries(catalogs))
  return opened.map(({ name, prisma, config: shown }) => {
    const named = name === null || renames === null ? shown : renamed(shown, renames[name] ?? new Map())
    const ownLogger = name === null ? logger : withSource(logger, name)
    return { name, prisma, config: named, rowcast: createConfiguredRowcast(named, prisma, ownLogger) }
  })
}

function renamed(config: Config, names: Renames): Config {
  const { sessions } = config
  const models = Object.entries(config.models).map(([name, options]) => [names.get(name) ?? name, options])
  return {
    ...config,
    catalog: renameModels(config.catalog, names),
    models: Object.fromEntries(models) as Config['models'],
    sessions: sessions && { ...sessions, model: names.get(sessions.model) ?? sessions.model },
  }
}

/** The log says of which database it is. */
function withSource(logger: Logger, source: string): Logger {
  const more = (fields?: LogFields): LogFields => ({ source, ...fields })
  return {
    debug: (message, fields) => logger.debug(message, more(fields)),
    info: (message, fields) => logger.info(message, more(fields)),
    warn: (message, fields) => logger.warn(message, more(fields)),
    error: (message, fields) => logger.error(message, more(fields)),
  }
}

/** All in one. */
export function servedParts(sources: readonly ServiceSource[]): ServedParts {
  const [first] = sources
  if (first !== undefined && first.name === null) {
    const { rowcast, prisma, config } = first
    return {
      ...{ feed: rowcast, prisma, wholePrisma: withWholeRows(prisma) },
      ...{ catalog: config.catalog, models: config.models },
    }
  }
  const join = (clientOf: (source: ServiceSource) => ServicePrismaClient) =>
    joinSources(
      Object.fromEntries(
        sources.map((each) => [each.name ?? '', { feed: each.rowcast, prisma: clientOf(each) }]),
      ),
    )
  const { feed, prisma } = join((source) => source.prisma)
  return {
    ...{ feed, prisma, wholePrisma: join((source) => withWholeRows(source.prisma)).prisma },
    catalog: feed.catalog,
    models: Object.assign({}, ...sources.map(({ config }) => config.models)) as Config['models'],
  }
}

/** Of all together: what is said of one stream is of the one that is worst off. */
export function servedStatus(sources: readonly ServiceSource[]): RowcastStatus {
  const all = sources.map(({ rowcast }) => rowcast.status())
  const worst = all.reduce((a, b) =>
    (a.isReady === b.isReady ? b.positions.lagBytes > a.positions.lagBytes : a.isReady) ? b : a,
  )
  return {
    ...worst,
    drifted: all.flatMap(({ drifted }) => drifted),
    subscriptions: new Map(all.flatMap(({ subscriptions }) => [...subscriptions])),
  }
}

/** Does it to all at once: one that takes its time keeps no other waiting. @throws what the first of them threw, once all are done */
export async function withEachSource(
  sources: readonly ServiceSource[],
  run: (source: ServiceSource) => Promise<unknown>,
): Promise<void> {
  const done = await Promise.allSettled(sources.map(run))
  const failed = done.find((each) => each.status === 'rejected')
  if (failed !== undefined) throw failed.reason
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
    lists: config.lists,
    relatedRows: config.relatedRows,
  })
  for (const [model, { live, followed, ...options }] of Object.entries(models)) {
    if (live !== false) rowcast.register(model, options)
    else if (followed === true) rowcast.follow(model, options)
  }
  return rowcast
}

/** A gateway may ask through a pooler, and those refuse connections that bring settings. */
export function createQueryClient(config: Config): ServicePrismaClient {
  const { createPrisma, databaseUrl, scaling, security } = config
  const timeoutMs = limitsOf(security.limits).queryTimeoutMs
  return createPrisma(scaling.role === 'gateway' ? databaseUrl : withStatementTimeout(databaseUrl, timeoutMs))
}
