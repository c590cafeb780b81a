/** Beside the spine, cli. `rowcast serve`: the service on an existing database, until it is asked to stop. */

import type { Config } from '../config/config.ts'
import { type ConfigFlags, type Environment, resolveConfig } from '../config/resolve-config.ts'
import { createService } from '../service.ts'
import { sourceConfigs } from '../service-sources.ts'
import { findConfigFile, loadConfigFile } from './load-config.ts'
import { createJsonLogger, readLogLevel } from './loggers.ts'
import { servableConfig } from './servable-config.ts'
import { type StopSignals, untilAborted } from './stop-signals.ts'

/** Options of the command line. */
export interface ServeOptions extends ConfigFlags {
  /** The config file, when it has not its usual name or path. */
  readonly config?: string | undefined
}

/** What the command may touch. */
export interface CommandContext {
  readonly env: Environment
  readonly folder: string
  readonly stop: StopSignals
}

/** Runs until stopped. @throws CONFIG_…, CLI_PEER_…, SERVER_… */
export async function serve(options: ServeOptions, { env, folder, stop }: CommandContext): Promise<void> {
  const stopping = stop.listen()
  const logger = createJsonLogger(readLogLevel(env['LOG_LEVEL']))
  const file = await loadConfigFile(findConfigFile(folder, options.config))
  const config = servableConfig(resolveConfig(file, env, options), folder, logger)
  const service = await createService(config, { logger })
  const { url } = await service.start()
  logger.info('Listening.', { url, models: modelsOf(config) })
  await untilAborted(stopping)
  logger.info('Stopping.')
  await service.stop()
  // A connection of the application's pool whose other side has fallen silent would keep the process.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

/** Of several databases with the name of theirs. */
function modelsOf(config: Config): string {
  const names = sourceConfigs(config).flatMap(([source, { models }]) =>
    Object.keys(models).map((model) => (source === null ? model : `${source}.${model}`)),
  )
  return names.join(' ')
}

/** How long what still closes may take once everything has stopped. */
const LINGER_MS = 1_000
