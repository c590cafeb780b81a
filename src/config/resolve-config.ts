/**
 * The config file, the environment and the command line, checked together so that every fault is reported at
 * once. Pure: all three come in as values.
 */
import { resolveScaling, type ScalingOptions } from '../broker/broker-options.ts'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { NO_CATALOG, parseCatalog } from '../catalog/parse-catalog.ts'
import { schemaNames } from '../graphql/schema-names.ts'
import { withoutEmptyModels } from '../graphql/shown-models.ts'
import type { SubgraphOptions } from '../graphql/subgraph/subgraph-options.ts'
import { hasMembers, type Members } from '../member-of.ts'
import { type CheckedValues, checkOptions, type Option, reportUnknownNames } from '../option.ts'
import { bearerGuard } from '../server/health/metrics-endpoint.ts'
import type { ServerSecurity } from '../server/limits/server-security.ts'
import { parseConnectionTarget } from '../source/db/database-address.ts'
import { DURABILITY, WIRE } from '../source/durability-options.ts'
import { defaultSlot } from '../source/facts/default-slot.ts'
import { withChosenNames } from './chosen-names.ts'
import type { Config } from './config.ts'
import { Faults } from './config-faults.ts'
import { CONFIG_FIELDS, OPTIONS } from './options.ts'
import { readModels } from './resolve-models.ts'
import {
  addSourceFaults,
  type ConfigFlags,
  checkSessions,
  checkSources,
  type Environment,
  type Sayings,
  sourceSayings,
} from './resolve-sources.ts'

export type { ConfigFlags, Environment } from './resolve-sources.ts'

/**
 * Checks file, environment and flags together.
 * @throws CONFIG_BAD_FIELD, CONFIG_BAD_PORT, CONFIG_BAD_NAME, CONFIG_CATALOG_VERSION, CONFIG_NO_DATABASE,
 * CONFIG_BAD_DATABASE_URL, CATALOG_UNKNOWN_MODEL; CONFIG_INVALID listing them when there are several.
 */
export function resolveConfig(file: unknown, env: Environment, flags: ConfigFlags = {}): Config {
  const faults = new Faults()
  const fields = fieldsOf(file, faults)
  const said: Sayings = { fields, env, flags }
  const config = fields['sources'] === undefined ? resolveOne(said, faults) : resolveSeveral(said, faults)
  checkSessions(fields['sessions'], config, faults)
  faults.throwIfAny()
  return config
}

/** Each as if it were alone, then all beside each other. What is said for all of them is checked with each, and noted once. */
function resolveSeveral(said: Sayings, faults: Faults): Config {
  const resolved = sourceSayings(said, faults).map(([name, ofSource]) => {
    const own = new Faults()
    return { name, config: resolveOne(ofSource, own), errors: own.errors }
  })
  addSourceFaults(resolved, faults)
  const [first] = resolved
  if (first === undefined || faults.errors.length > 0) return resolveOne(said, new Faults())
  const sources = Object.fromEntries(resolved.map(({ name, config }) => [name, config]))
  checkSources(sources, faults)
  return { ...first.config, sources }
}

function resolveOne(said: Sayings, faults: Faults): Config {
  const { fields } = said
  const given = checkOptions(OPTIONS, (name, row) => sayingOf(name, row, said), faults.note)
  const isProduction = given.nodeEnv === 'production'
  const named = withChosenNames(catalogOf(given, faults), given.names, faults)
  const models = readModels(given, named, isProduction, faults)
  const graphiql = given.graphiql ?? !isProduction
  const { databaseUrl = '' } = given
  const slot = given.slot || null
  return {
    sources: null,
    databaseUrl,
    ...shownModels(named, models, faults),
    // Called as a method of the config: it may use `this`.
    createPrisma: given.createPrisma?.bind(fields) as Config['createPrisma'],
    subgraph: subgraphOf(given, fields, faults),
    makeSchema: (given.schema?.bind(fields) as Config['makeSchema'] | undefined) ?? null,
    slot: slot ?? slotOf(databaseUrl),
    isSlotDefault: slot === null,
    publication: given.publication || 'rowcast',
    host: given.host ?? '127.0.0.1',
    port: Number(given.port ?? 4000),
    graphiql,
    livePage: livePageOf(given, isProduction, faults),
    metrics: metricsOf(given, isProduction, faults),
    canExplain: given.debug?.canExplain.bind(given.debug) ?? null,
    metadata: given.metadata as Config['metadata'],
    showMetadata: given.showMetadata && {
      ...given.showMetadata,
      fields: given.showMetadata.fields.bind(given.showMetadata),
    },
    durability: pickGiven({ ...DURABILITY, ...WIRE }, given),
    scaling: scalingOf(given, faults),
    slowSubscribers: given.slowSubscribers ?? {},
    lists: given.lists ?? {},
    relatedRows: given.relatedRows ?? {},
    sessions:
      given.sessions && Object.hasOwn(named.models, given.sessions.model)
        ? { model: given.sessions.model, of: given.sessions.of.bind(given.sessions) }
        : null,
    security: securityOf(given, { fields, graphiql, isProduction }, faults),
    dev: given.dev ?? {},
  }
}

/** What was said, and has passed its checks. */
type Given = CheckedValues<typeof OPTIONS>

/** The command line counts before the environment, and that before the file. An empty variable says nothing. */
function sayingOf(
  name: string,
  { env: variable, withEnv, isOfEnvironment }: Option,
  { fields, env, flags }: Sayings,
): unknown {
  const ofFile = isOfEnvironment === undefined ? fields[name] : undefined
  const text = variable === undefined || env[variable] === '' ? undefined : env[variable]
  const ofEnv = text === undefined ? ofFile : (withEnv?.(text, ofFile) ?? text)
  return Object.hasOwn(flags, name) ? (flags[name as keyof ConfigFlags] ?? ofEnv) : ofEnv
}

/** The command line says what rows are, and keeps the name that the file gives. */
function subgraphOf(
  { subgraph = false, schema }: Given,
  fields: Members,
  faults: Faults,
): Config['subgraph'] {
  if (subgraph === false) return null
  if (schema !== undefined) {
    faults.add(
      'CONFIG_BAD_FIELD',
      '`subgraph` stands beside `schema`, and is said of the schema that rowcast makes.',
      'Return `addChanges(buildSubgraphSchema(…), feed, …)` from `schema`: docs/subgraph.md.',
    )
  }
  const ofFile = hasMembers(fields['subgraph']) ? (fields['subgraph'] as SubgraphOptions) : {}
  const said = typeof subgraph === 'object' ? subgraph : { entities: subgraph === true ? 'rows' : subgraph }
  return { entities: said.entities ?? 'rows', changeCursor: ofFile.changeCursor ?? 'changeCursor' } as const
}

function pickGiven<Rows extends Readonly<Record<string, Option>>>(rows: Rows, given: Given) {
  const values = Object.entries(given).filter(([name, value]) => name in rows && value !== undefined)
  return Object.fromEntries(values) as Partial<CheckedValues<Rows>>
}

/** What there is to show of the models; chosen names that cannot be had are noted. */
function shownModels(catalog: ModelCatalog, models: Config['models'], faults: Faults) {
  faults.catch<unknown>(() => schemaNames(catalog), null)
  return withoutEmptyModels({ catalog, models })
}

function fieldsOf(file: unknown, faults: Faults): Members {
  if (!hasMembers(file)) {
    faults.add(
      'CONFIG_BAD_FIELD',
      'The config file has no default export that is an object.',
      'Write `export default defineConfig({ … })`.',
    )
    return {}
  }
  reportUnknownNames(file, CONFIG_FIELDS, 'The config file', faults.note)
  return file
}

function catalogOf({ catalog = NO_CATALOG, alwaysRequired }: Given, faults: Faults): ModelCatalog {
  const parsed = faults.catch<ModelCatalog>(() => parseCatalog(catalog), NO_CATALOG)
  return alwaysRequired === true ? { ...parsed, '~alwaysRequired': true } : parsed
}

function slotOf(databaseUrl: string): string {
  try {
    return defaultSlot(parseConnectionTarget(databaseUrl).database)
  } catch {
    // An address that cannot be used is a fault of its own.
    return ''
  }
}

/** It shows rows, and what operators see: in production never to strangers. */
function livePageOf({ livePage: given }: Given, isProduction: boolean, faults: Faults): Config['livePage'] {
  if (given === false || (given === undefined && isProduction)) return null
  if (typeof given === 'object') return { authorize: given.authorize.bind(given) }
  if (isProduction) {
    const happened = '`livePage` is on in production and open to everybody.'
    faults.add('CONFIG_BAD_FIELD', happened, OPTIONS.livePage.hint)
  }
  return { authorize: null }
}

/** By default they are on where a token is set, and outside production. */
function metricsOf(
  { metrics, metricsToken }: Given,
  isProduction: boolean,
  faults: Faults,
): Config['metrics'] {
  if (metrics === false || (metrics === undefined && isProduction && metricsToken === undefined)) return null
  if (typeof metrics === 'object') return { authorize: metrics.authorize.bind(metrics) }
  if (metricsToken !== undefined) return { authorize: bearerGuard(metricsToken) }
  if (isProduction) {
    const happened = '`metrics` is on in production and open to everybody.'
    faults.add('CONFIG_BAD_FIELD', happened, OPTIONS.metrics.hint)
  }
  return { authorize: null }
}

/** A broker that cannot be used is a fault of its own. */
function scalingOf({ role, broker }: Given, faults: Faults): ScalingOptions {
  const scaling = { role, broker }
  const isReported = faults.errors.some(({ code }) => code === 'CONFIG_BAD_BROKER')
  if (!isReported) faults.catch<unknown>(() => resolveScaling(scaling), null)
  return scaling
}

/** The schema can be read in development, and wherever GraphiQL is on. */
function securityOf(
  given: Given,
  {
    fields,
    graphiql,
    isProduction,
  }: { readonly fields: Members; readonly graphiql: boolean; readonly isProduction: boolean },
  faults: Faults,
): ServerSecurity {
  const allowedOrigins = [given.allowedOrigins ?? []].flat()
  const allowCredentials = given.allowCredentials ?? false
  if (allowCredentials && allowedOrigins.includes('*')) {
    faults.add(
      'CONFIG_BAD_FIELD',
      '`allowCredentials` would let every page of the web use the cookies of your visitors.',
      'Name the origins in `allowedOrigins` instead of "*".',
    )
  }
  const { persistedDocuments } = given
  const onlyPersisted = persistedDocuments?.onlyPersisted ?? isProduction
  if (persistedDocuments !== undefined && onlyPersisted && given.graphiql === true) {
    faults.add(
      'CONFIG_BAD_FIELD',
      '`graphiql` is on, and the documents that are written in it would be refused.',
      'Leave `graphiql` off, or write `onlyPersisted: false`.',
    )
  }
  return {
    persistedDocuments: persistedDocuments && { ...persistedDocuments, onlyPersisted },
    context: given.context?.bind(fields),
    limits: given.limits ?? {},
    allowedOrigins,
    allowCredentials,
    introspection: given.introspection ?? (graphiql || !isProduction),
    trustedProxyCount: Number(given.trustedProxyCount ?? 0),
    allowedHosts: given.allowedHosts === undefined ? undefined : [given.allowedHosts].flat(),
  }
}
