/** Beside the spine, cli. What commands that look at the database work with: the config, and what it wants there. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { MONEY_SCALE_DEFAULT } from '../catalog/values/decimal-codecs.ts'
import type { SoftDeleteFields } from '../changes/soft-delete.ts'
import type { Config } from '../config/config.ts'
import { type ConfigFlags, type Environment, resolveConfig } from '../config/resolve-config.ts'
import { RowcastError } from '../errors.ts'
import { shownByPrisma } from '../graphql/shown-models.ts'
import { nearestName } from '../nearest-name.ts'
import { type ConnectionTarget, resolveConnectionTarget } from '../source/db/database-address.ts'
import { createSetupGoal, type SetupGoal } from '../source/setup/setup-goal.ts'
import { findConfigFile, loadConfigFile } from './load-config.ts'

/** Options that all these commands have. */
export interface ProjectOptions extends ConfigFlags {
  readonly config?: string | undefined
}

/** Where a command runs. */
export interface ProjectPlace {
  readonly env: Environment
  readonly folder: string
}

/** A project whose config was read. */
export interface Project {
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
 * Reads the config file and the environment; connects to nothing.
 * @throws CONFIG_…, CATALOG_UNKNOWN_MODEL, and what `createPrisma` throws
 */
export async function openProject(options: ProjectOptions, { env, folder }: ProjectPlace): Promise<Project> {
  const configFile = findConfigFile(folder, options.config)
  // First: it may read .env.
  const file = await loadConfigFile(configFile)
  // Who may see what over the network is no matter of somebody at the keyboard.
  const { NODE_ENV: _, ...environment } = env
  const read = resolveConfig(file, environment, options)
  // Asked where the models' tables are and what it omits, as the service does; it connects to nothing.
  const prisma = read.createPrisma(read.databaseUrl)
  const config = shownByPrisma(read, prisma)
  const { catalog, slot, isSlotDefault, publication, databaseUrl } = config
  const {
    target: address,
    schema,
    queryRole,
  } = resolveConnectionTarget({ connectionString: databaseUrl, prisma, catalog })
  const target = { ...address, waits: { answerTimeoutMs: config.durability.answerTimeoutMs } }
  const live = Object.entries(config.models).flatMap(([name, options]) => {
    const spec: ModelSpec | undefined = catalog.models[name]
    return spec === undefined || options.live === false ? [] : [{ spec, ...options }]
  })
  return {
    ...{ config, configFile, target, schema, queryRole },
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
