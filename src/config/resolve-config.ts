/**
 * The config file, the environment and the command line, checked together so that every fault is reported at
 * once. Pure: all three come in as values.
 */
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import type { Authorize } from '../graphql/activity/activity-log.ts'
import { schemaNames } from '../graphql/schema-names.ts'
import { withoutEmptyModels } from '../graphql/shown-models.ts'
import { parseConnectionTarget } from '../source/db/database-address.ts'
import { DURABILITY_FIELDS, type DurabilityOptions, resolveDurability } from '../source/durability-options.ts'
import { defaultSlot } from '../source/setup/default-slot.ts'
import { withChosenNames } from './chosen-names.ts'
import type { Config, DevConfig, SlowSubscribers } from './config.ts'
import { Faults, type Fields, isFields } from './config-faults.ts'
import { NO_CATALOG, readModels } from './resolve-models.ts'
import { readDebug, readMetrics } from './resolve-observability.ts'
import { readScaling, type ScalingOverrides } from './resolve-scaling.ts'
import { readServerSecurity, SECURITY_FIELDS } from './resolve-server-security.ts'

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the command line says; it counts before the environment, and that before the file. */
export interface ConfigFlags {
  readonly databaseUrl?: string | undefined
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly role?: string | undefined
}

/**
 * Checks file, environment and flags together.
 * @throws CONFIG_BAD_FIELD, CONFIG_BAD_PORT, CONFIG_BAD_NAME, CONFIG_CATALOG_VERSION, CONFIG_NO_DATABASE,
 * CONFIG_BAD_DATABASE_URL, CATALOG_UNKNOWN_MODEL; CONFIG_INVALID listing them when there are several.
 */
export function resolveConfig(file: unknown, env: Environment, flags: ConfigFlags = {}): Config {
  const faults = new Faults()
  const fields = fieldsOf(file, faults)
  const isProduction = env['NODE_ENV'] === 'production'
  const catalog = withRequiredFields(readCatalog(fields['catalog'], faults), fields['alwaysRequired'], faults)
  const named = withChosenNames(catalog, fields['names'], faults)
  const models = readModels(fields, named, isProduction, faults)
  const graphiql = readGraphiql(fields['graphiql'], env, faults)
  const databaseUrl = readDatabaseUrl(flags.databaseUrl ?? env['DATABASE_URL'], faults)
  const slot = readName('slot', env['ROWCAST_SLOT'] ?? fields['slot'], faults)
  const config: Config = {
    databaseUrl,
    ...shownModels(named, models, faults),
    createPrisma: readFunction(fields, 'createPrisma', faults) as Config['createPrisma'],
    slot: slot ?? slotOf(databaseUrl),
    isSlotDefault: slot === null,
    publication:
      readName('publication', env['ROWCAST_PUBLICATION'] ?? fields['publication'], faults) ?? 'rowcast',
    host: readHost(flags.host ?? nonEmpty(env['HOST']) ?? fields['host'], faults),
    port: readPort(flags.port ?? nonEmpty(env['PORT']) ?? fields['port'], faults),
    graphiql,
    livePage: readLivePage(fields['livePage'], isProduction, faults),
    metrics: readMetrics(fields['metrics'], nonEmpty(env['METRICS_TOKEN']), isProduction, faults),
    canExplain: readDebug(fields['debug'], faults),
    durability: readDurability(fields, faults),
    scaling: readScaling(fields, scalingOverrides(env, flags), faults),
    slowSubscribers: readSlowSubscribers(fields['slowSubscribers'], faults),
    security: readServerSecurity(
      fields,
      { graphiql, isProduction, trustedProxyCount: nonEmpty(env['TRUSTED_PROXY_COUNT']) },
      faults,
    ),
    dev: readDev(fields['dev'], faults),
  }
  faults.throwIfAny()
  return config
}

/** Names of the options of the config file. */
export const CONFIG_FIELDS: readonly string[] = [
  ...[
    'catalog',
    'createPrisma',
    'models',
    'names',
    'alwaysRequired',
    'public',
    'slot',
    'publication',
    'host',
    'port',
    'graphiql',
    'livePage',
    'metrics',
    'debug',
    'role',
    'broker',
    'slowSubscribers',
    'dev',
  ],
  ...SECURITY_FIELDS,
  ...DURABILITY_FIELDS,
]

/** What there is to show of the models; chosen names that cannot be had are noted. */
function shownModels(catalog: ModelCatalog, models: Config['models'], faults: Faults) {
  faults.catch<unknown>(() => schemaNames(catalog), null)
  return withoutEmptyModels({ catalog, models })
}

function scalingOverrides(env: Environment, flags: ConfigFlags): ScalingOverrides {
  return { role: flags.role ?? nonEmpty(env['ROWCAST_ROLE']), redisUrl: nonEmpty(env['REDIS_URL']) }
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function fieldsOf(file: unknown, faults: Faults): Fields {
  if (!isFields(file)) {
    faults.add(
      'CONFIG_BAD_FIELD',
      'The config file has no default export that is an object.',
      'Write `export default defineConfig({ … })`.',
    )
    return {}
  }
  faults.addUnknownFields(file, CONFIG_FIELDS, 'The config file')
  return file
}

function readCatalog(value: unknown, faults: Faults): ModelCatalog {
  if (!isFields(value) || !isFields(value['models'])) {
    faults.add(
      'CONFIG_BAD_FIELD',
      'The config file has no `catalog`.',
      'Import `catalog` from the file that `generator rowcast` writes, and pass it on.',
    )
    return NO_CATALOG
  }
  if (value['formatVersion'] !== NO_CATALOG.formatVersion) {
    faults.add('CONFIG_CATALOG_VERSION', `The catalog has format ${String(value['formatVersion'])}, not 1.`)
    return NO_CATALOG
  }
  return value as unknown as ModelCatalog
}

function withRequiredFields(catalog: ModelCatalog, value: unknown, faults: Faults): ModelCatalog {
  if (value === undefined || value === false) return catalog
  if (value !== true) faults.add('CONFIG_BAD_FIELD', '`alwaysRequired` is neither true nor false.')
  return { ...catalog, '~alwaysRequired': true }
}

function readDatabaseUrl(value: string | undefined, faults: Faults): string {
  if (value === undefined || value === '') {
    faults.add('CONFIG_NO_DATABASE', 'DATABASE_URL is not set.', 'Set DATABASE_URL, or run `rowcast dev`.')
    return ''
  }
  faults.catch<unknown>(() => parseConnectionTarget(value), null)
  return value
}

function readFunction(fields: Fields, name: string, faults: Faults): unknown {
  const value = fields[name]
  if (typeof value !== 'function') faults.add('CONFIG_BAD_FIELD', `\`${name}\` is not a function.`)
  // Called as a method of the config: it may use `this`.
  return typeof value === 'function' ? value.bind(fields) : value
}

function slotOf(databaseUrl: string): string {
  try {
    return defaultSlot(parseConnectionTarget(databaseUrl).database)
  } catch {
    // An address that cannot be used is a fault of its own.
    return ''
  }
}

/** Null where none is given. */
function readName(field: 'slot' | 'publication', value: unknown, faults: Faults): string | null {
  if (value === undefined || value === '') return null
  // Of the two only a slot's characters are restricted. PostgreSQL's manual, chapter 54.19.
  const isUsable =
    typeof value === 'string' && (field === 'slot' ? /^[a-z0-9_]{1,63}$/ : /^.{1,63}$/su).test(value)
  if (!isUsable) faults.add('CONFIG_BAD_NAME', `The name of the ${field} cannot be used: ${quote(value)}.`)
  return String(value)
}

function readHost(value: unknown, faults: Faults): string {
  if (value === undefined) return '127.0.0.1'
  if (typeof value !== 'string' || value === '') {
    faults.add('CONFIG_BAD_FIELD', `The host is not a text: ${quote(value)}.`)
  }
  return String(value)
}

function readPort(value: unknown, faults: Faults): number {
  if (value === undefined) return 4000
  const port = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  faults.add('CONFIG_BAD_PORT', `The port is ${quote(value)}.`)
  return 0
}

function readGraphiql(value: unknown, env: Environment, faults: Faults): boolean {
  if (value === undefined) return env['NODE_ENV'] !== 'production'
  if (typeof value !== 'boolean') faults.add('CONFIG_BAD_FIELD', '`graphiql` is neither true nor false.')
  return value === true
}

function readLivePage(value: unknown, isProduction: boolean, faults: Faults): Config['livePage'] {
  if (value === false || (value === undefined && isProduction)) return null
  const authorize = isFields(value) ? value['authorize'] : null
  if (typeof authorize === 'function') return { authorize: authorize.bind(value) as Authorize }
  const hint = 'Write livePage: true, false or { authorize: (context) => … }.'
  if (value !== true && value !== undefined) {
    faults.add('CONFIG_BAD_FIELD', '`livePage` cannot be used.', hint)
  } else if (isProduction) {
    // It shows rows, and what operators see: never to strangers.
    faults.add('CONFIG_BAD_FIELD', '`livePage` is on in production and open to everybody.', hint)
  }
  return { authorize: null }
}

function readDurability(fields: Fields, faults: Faults): DurabilityOptions {
  const given = DURABILITY_FIELDS.filter((name) => fields[name] !== undefined)
  const durability = Object.fromEntries(given.map((name) => [name, fields[name]])) as DurabilityOptions
  faults.catch<unknown>(() => resolveDurability(durability), null)
  return durability
}

function readDev(value: unknown, faults: Faults): DevConfig {
  if (value === undefined) return {}
  if (!isFields(value)) {
    faults.add('CONFIG_BAD_FIELD', '`dev` is not an object.')
    return {}
  }
  for (const name of ['seed', 'traffic'].filter((each) => value[each] !== undefined)) {
    if (typeof value[name] !== 'function')
      faults.add('CONFIG_BAD_FIELD', `\`dev.${name}\` is not a function.`)
  }
  return value as DevConfig
}

/** A setting as messages show it; settings that may hold secrets never get here. */
function quote(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value)
}

function readSlowSubscribers(value: unknown, faults: Faults): SlowSubscribers {
  if (value === undefined) return {}
  const fields = isFields(value) ? value : {}
  const { queueLengthMax = 1, heldBytesMax = 1, policy = 'end' } = fields as SlowSubscribers
  const { mayClientsChoose = false } = fields as SlowSubscribers
  const isUsable =
    isFields(value) &&
    [queueLengthMax, heldBytesMax].every((bound) => Number.isInteger(bound) && bound > 0) &&
    (policy === 'end' || policy === 'conflate') &&
    typeof mayClientsChoose === 'boolean'
  if (!isUsable) {
    const hint =
      "Write slowSubscribers: { queueLengthMax?: a number above 0, heldBytesMax?: bytes, policy?: 'end' | 'conflate', mayClientsChoose?: boolean }."
    faults.add('CONFIG_BAD_FIELD', '`slowSubscribers` cannot be used.', hint)
  }
  return fields
}
