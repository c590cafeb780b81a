/** Beside the spine, cli. What a config can serve with the packages that are installed. */
import type { Config } from '../config/config.ts'
import type { Logger } from '../logger.ts'
import { findPackageManager } from './package-manager.ts'
import { checkPeers } from './peers.ts'

/** Pothos makes the schema where the config has none, and the live page's; a tap has no schema at all. */
const mayLackPothos = ({ makeSchema, scaling }: Config): boolean =>
  makeSchema !== null || scaling.role === 'tap'

/** The config, without the live page where that lacks its packages. @throws CLI_PEER_MISSING, CLI_PEER_VERSION, CLI_PEER_TWICE */
export function servableConfig(config: Config, folder: string, logger: Logger): Config {
  const hasPothos = checkPeers({ folder, mayLackPothos: mayLackPothos(config) })
  if (hasPothos || config.livePage === null) return config
  const command = findPackageManager(folder, process.env).install(['@pothos/core', '@pothos/plugin-prisma'])
  logger.info('The live page is off: the packages that it needs are not installed.', {
    hint: `Run \`${command}\`, or write livePage: false.`,
  })
  return { ...config, livePage: null }
}
