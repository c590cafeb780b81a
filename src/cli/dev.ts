/**
 * Beside the spine, cli. `rowcast dev`: the whole of it on one machine. Without DATABASE_URL it brings its own
 * PostgreSQL, migrated and seeded; with --traffic something always changes.
 */
import { setTimeout } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import { type ConfigFlags, resolveConfig } from '../config/resolve-config.ts'
import { describeError } from '../describe-error.ts'
import { shownByPrisma } from '../graphql/shown-models.ts'
import type { Logger } from '../logger.ts'
import { createService, type Service } from '../service.ts'
import { DATABASE, type DevDatabase, existingDatabase, startEmbeddedDatabase } from './dev-database.ts'
import { exampleSubscription } from './example-subscription.ts'
import { printGreeting } from './greeting.ts'
import { findConfigFile, loadConfigFile } from './load-config.ts'
import { createTerminalLogger } from './loggers.ts'
import { findPackageManager, hintFor } from './package-manager.ts'
import { servableConfig } from './servable-config.ts'
import type { CommandContext } from './serve.ts'
import { untilAborted } from './stop-signals.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface DevOptions extends ConfigFlags {
  readonly config?: string | undefined
  /** Data folder of the embedded PostgreSQL, instead of the project's own. */
  readonly dataFolder?: string | undefined
  readonly traffic?: boolean | undefined
  readonly verbose?: boolean | undefined
}

/** What the command may touch. */
export interface DevContext extends CommandContext {
  readonly terminal: Terminal
}

/** How long the greeting waits for changes to flow before it says that they do not. */
const GREETING_PATIENCE_MS = 5_000

/** Runs until stopped. @throws CONFIG_…, EMBEDDED_…, SERVER_… */
export async function dev(options: DevOptions, context: DevContext): Promise<void> {
  const { env, terminal, stop } = context
  const stopping = stop.listen()
  const configFile = findConfigFile(context.folder, options.config)
  const file = await loadConfigFile(configFile)
  const ownUrl = options.databaseUrl ?? (env['DATABASE_URL'] === '' ? undefined : env['DATABASE_URL'])
  // Checked before PostgreSQL is started, with a stand-in for the address that only then is known, but for its database.
  const asked = resolveConfig(file, env, {
    ...options,
    databaseUrl: ownUrl ?? `postgresql://user@localhost/${DATABASE}`,
  })
  const logger = createTerminalLogger(terminal, options.verbose ?? false)
  const draft = servableConfig(asked, context.folder, logger)
  // Several databases are never embedded: each has an address of its own.
  const [first] = Object.values(draft.sources ?? {})
  const isEmbedded = ownUrl === undefined && first === undefined
  if (isEmbedded) terminal.print(terminal.style('dim', 'Starting PostgreSQL …'))
  const database = isEmbedded
    ? await startEmbeddedDatabase({ ...draft, configFile, dataFolder: options.dataFolder })
    : existingDatabase(first?.databaseUrl ?? ownUrl ?? '')
  const config: Config = { ...draft, databaseUrl: database.url }
  try {
    if (!stopping.aborted) await runService(config, database, options, context)
  } finally {
    await database.stop()
  }
  if (stopping.aborted) terminal.print(terminal.style('dim', 'Stopped.'))
}

async function runService(
  config: Config,
  database: DevDatabase,
  options: DevOptions,
  { terminal, stop, folder, env }: DevContext,
): Promise<void> {
  const stopping = stop.listen()
  const logger = createTerminalLogger(terminal, options.verbose ?? false)
  // Of what Prisma Client shows, as the service does: a field that it omits is in no subscription.
  const shown = shownByPrisma(config, config.createPrisma(config.databaseUrl))
  const subscription = exampleSubscription(shown.catalog, shown.models)
  const manager = findPackageManager(folder, env)
  const service = await createService(config, { logger, graphiqlQuery: subscription })
  try {
    const { url } = await service.start()
    await waitUntilLive(service, stopping)
    const { state, lastError } = service.rowcast.status()
    printGreeting(terminal, {
      url,
      isGraphiqlEnabled: config.graphiql,
      isLivePageEnabled: config.livePage !== null,
      databaseUrl: database.shownUrl,
      databaseNote: database.note,
      models: Object.keys(config.models),
      subscription,
      exampleSql: config.dev.exampleSql,
      obstacle:
        state === 'streaming'
          ? null
          : hintFor(manager, lastError?.message ?? 'PostgreSQL does not answer yet.'),
    })
    if (state !== 'streaming') {
      service.rowcast.ready().then(
        () => terminal.print('  Changes flow now.'),
        () => undefined,
      )
    }
    if (options.traffic === true) await runTraffic(config, logger, stopping)
    await untilAborted(stopping)
  } finally {
    await service.stop()
  }
}

/** Until changes flow, the program is to stop, or patience ends. */
async function waitUntilLive(service: Service, signal: AbortSignal): Promise<void> {
  const patience = new AbortController()
  const outOfPatience = setTimeout(GREETING_PATIENCE_MS, undefined, { signal: patience.signal })
  try {
    await Promise.race([service.rowcast.ready(), untilAborted(signal), outOfPatience])
  } finally {
    patience.abort()
    await outOfPatience.catch(() => undefined)
  }
}

/** How long traffic rests after a failure: PostgreSQL may be restarting, a row may have been deleted by hand. */
const TRAFFIC_REST_MS = 2_000

/** Sample changes through a Prisma Client of their own, until the signal aborts. */
async function runTraffic({ dev, createPrisma, databaseUrl }: Config, logger: Logger, signal: AbortSignal) {
  if (dev.traffic === undefined) {
    logger.warn('--traffic does nothing: the config file has no `dev.traffic`.')
    return
  }
  const prisma = createPrisma(databaseUrl)
  try {
    while (!signal.aborted) {
      await dev.traffic(prisma, signal).catch(async (error: unknown) => {
        if (signal.aborted) return
        logger.warn('Sample traffic failed and rests.', describeError(error))
        await setTimeout(TRAFFIC_REST_MS, undefined, { signal }).catch(() => undefined)
      })
    }
  } finally {
    await prisma.$disconnect()
  }
}
