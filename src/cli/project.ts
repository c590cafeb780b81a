/** Beside the spine, cli. What commands that look at the database work with: the config, and what it wants there. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { MONEY_SCALE_DEFAULT } from '../catalog/values/decimal-codecs.ts'
import type { SoftDeleteFields } from '../changes/soft-delete.ts'
import type { Config } from '../config/config.ts'
import { tableNamed } from '../config/find-model.ts'
import { type ConfigFlags, type Environment, resolveConfig } from '../config/resolve-config.ts'
import { isPublished } from '../config/resolve-models.ts'
import { RowcastError } from '../errors.ts'
import { shownByPrisma } from '../graphql/shown-models.ts'
import { nearestName } from '../nearest-name.ts'
import { sourceConfigs } from '../service-sources.ts'
import { type ConnectionTarget, resolveConnectionTarget } from '../source/db/database-address.ts'
import { withStandby } from '../source/db/standby-address.ts'
import { createSetupGoal, type SetupGoal } from '../source/setup/setup-goal.ts'
import { ExitCode } from './exit-code.ts'
import { findConfigFile, loadConfigFile } from './load-config.ts'
import type { Terminal } from './terminal.ts'

/** Options that all these commands have. */
export interface ProjectOptions extends ConfigFlags {
  readonly config?: string | undefined
  readonly json?: boolean | undefined
  /** One of the config's `sources`. @default all, for commands that act on each */
  readonly source?: string | undefined
}

/** Where a command runs. */
export interface ProjectPlace {
  readonly env: Environment
  readonly folder: string
  /** Whether what is read is served over the network: in production as `serve` would. @default false */
  readonly isServed?: boolean | undefined
  /** Whether it is served where no session can be looked up, and whoever has none is to be kept out. @default false */
  readonly needsSessions?: boolean | undefined
}

/** A project whose config was read: one database of it. */
export interface Project {
  /** Name of the database; null of the only one. */
  readonly source: string | null
  readonly config: Config
  readonly configFile: string
  readonly target: ConnectionTarget
  /** The role that the application queries as. */
  readonly queryRole: string
  /** The schema of models that name none. */
  readonly schema: string
  readonly goal: SetupGoal
  /** The live models. */
  readonly models: readonly ModelSpec[]
  readonly softDelete: SoftDeleteFields
}

/**
 * The same where one database is meant.
 * @throws CLI_BAD_OPTION where there are several, and none was named
 */
export async function openProject(options: ProjectOptions, place: ProjectPlace): Promise<Project> {
  const [only, ...others] = await openProjects(options, place)
  if (only !== undefined && others.length === 0) return only
  const names = [only, ...others].map((each) => each?.source).join(', ')
  throw new RowcastError('CLI_BAD_OPTION', `The config has several sources: ${names}.`, {
    hint: `Say which: --source ${only?.source}.`,
  })
}

/** Does it with each database of the config, or with the one that was named. Answers with the worst of their codes. */
export async function withProjects(
  options: ProjectOptions,
  { terminal, ...place }: ProjectPlace & { readonly terminal: Terminal },
  run: (project: Project) => Promise<ExitCode>,
): Promise<ExitCode> {
  const codes: ExitCode[] = []
  for (const project of await openProjects(options, place)) {
    const { source } = project
    if (source !== null && options.json !== true)
      terminal.print(...(codes.length > 0 ? [''] : []), terminal.style('bold', `Source ${source}`))
    codes.push(await run(project))
  }
  return codes.find((code) => code !== ExitCode.ok) ?? ExitCode.ok
}

/** A report as a line of JSON, with the name of the database where there are several. */
export function reportOf({ source }: Project, report: object): string {
  return JSON.stringify(source === null ? report : { source, ...report })
}

/**
 * Reads the config file and the environment; connects to nothing.
 * @throws CONFIG_…, CATALOG_UNKNOWN_MODEL, CLI_BAD_OPTION, CLI_NO_SESSIONS, and what `createPrisma` throws
 */
async function openProjects(
  options: ProjectOptions,
  { env, folder, isServed = false, needsSessions = false }: ProjectPlace,
): Promise<readonly Project[]> {
  const configFile = findConfigFile(folder, options.config)
  // First: it may read .env.
  const file = await loadConfigFile(configFile)
  // Who may see what over the network is no matter of somebody at the keyboard, unless it is served.
  const { NODE_ENV: _, ...keyboard } = env
  const read = resolveConfig(file, isServed ? env : keyboard, options)
  const { source: named } = options
  // Those of one database are of all that is served.
  const sessions = sourceConfigs(read).find(([, config]) => config.sessions !== null)?.[1].sessions
  if (needsSessions && sessions != null) {
    const happened = `The config lets in who has a row of ${sessions.model}, and no recording says who has.`
    throw new RowcastError('CLI_NO_SESSIONS', happened)
  }
  const configs = sourceConfigs(read).filter(([name]) => named === undefined || name === named)
  if (configs.length > 0) return configs.map(([name, config]) => projectOf(name, config, configFile))
  throw new RowcastError('CLI_BAD_OPTION', `The config has no source "${named}".`, {
    hint:
      read.sources === null
        ? 'It has one database: leave `--source` out.'
        : `It has ${Object.keys(read.sources).join(', ')}.`,
  })
}

function projectOf(source: string | null, read: Config, configFile: string): Project {
  // Asked where the models' tables are and what it omits, as the service does; it connects to nothing.
  const prisma = read.createPrisma(read.databaseUrl)
  const config = shownByPrisma(read, prisma)
  const { catalog, slot, isSlotDefault, publication, databaseUrl } = config
  const {
    target: address,
    schema,
    queryRole,
  } = resolveConnectionTarget({ connectionString: databaseUrl, prisma, catalog })
  const { answerTimeoutMs, replicationUrl } = config.durability
  const target = { ...withStandby(address, replicationUrl), waits: { answerTimeoutMs } }
  const live = Object.entries(config.models).flatMap(([name, options]) => {
    const spec = tableNamed(catalog, name)
    return spec === undefined || !isPublished(options) ? [] : [{ spec, ...options }]
  })
  return {
    ...{ source, config, configFile, target, schema, queryRole },
    goal: createSetupGoal({ catalog, models: live, schema, slot, isSlotDefault, publication }),
    models: live.map(({ spec }) => spec),
    softDelete: new Map(
      live.flatMap(({ spec, softDelete }) =>
        softDelete === undefined ? [] : [[spec.name, softDelete] as const],
      ),
    ),
  }
}

/** The models named, or all. @throws CATALOG_UNKNOWN_MODEL, CATALOG_MODEL_NOT_REGISTERED */
export function chooseModels({ config, models }: Project, names: readonly string[]): readonly ModelSpec[] {
  if (names.length === 0) return models
  return names.map((name) => {
    const found = models.find((model) => model.name.toLowerCase() === name.toLowerCase())
    if (found !== undefined) return found
    if (Object.hasOwn(config.catalog.models, name)) {
      throw new RowcastError('CATALOG_MODEL_NOT_REGISTERED', `Model ${name} is not live.`, {
        hint: `Name it in \`models\` of the config file.`,
      })
    }
    const nearest = nearestName(
      name,
      models.map((model) => model.name),
    )
    throw new RowcastError('CATALOG_UNKNOWN_MODEL', `There is no live model "${name}".`, {
      hint:
        nearest === null
          ? `Live are ${models.map((model) => model.name).join(', ')}.`
          : `Did you mean "${nearest}"?`,
    })
  })
}

/** The same project, whose filters count money as the stream says that its database does. */
export function withMoneyScale(project: Project, moneyScale: () => number | undefined): Project {
  const catalog = { ...project.config.catalog, '~moneyScale': () => moneyScale() ?? MONEY_SCALE_DEFAULT }
  return { ...project, config: { ...project.config, catalog } }
}
