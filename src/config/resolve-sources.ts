/** The `sources` of the config file: what is said of each database, and what several of them may not have in common. */
import { RowcastError } from '../errors.ts'
import { isSourceName } from '../graphql/joined-sources.ts'
import { namesInOneSchema } from '../graphql/source-names.ts'
import { hasMembers, type Members, memberOf } from '../member-of.ts'
import { parseConnectionTarget } from '../source/db/database-address.ts'
import { DURABILITY, WIRE } from '../source/durability-options.ts'
import type { Config, SourceOption } from './config.ts'
import type { Faults } from './config-faults.ts'

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the command line says; it counts before the environment, and that before the file. */
export interface ConfigFlags {
  readonly databaseUrl?: string | undefined
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly role?: string | undefined
  readonly subgraph?: boolean | string | undefined
}

/** The three places where something can be said. */
export interface Sayings {
  readonly fields: Members
  readonly env: Environment
  readonly flags: ConfigFlags
}

/** Held to `SourceOption` in both directions. */
const SOURCE_OPTIONS = {
  ...(Object.fromEntries([...Object.keys(DURABILITY), ...Object.keys(WIRE)].map((name) => [name, true])) as {
    readonly [Name in keyof typeof DURABILITY | keyof typeof WIRE]: true
  }),
  ...({ broker: true, catalog: true, createPrisma: true, dev: true, metadata: true } as const),
  ...({ models: true, names: true, publication: true, slot: true } as const),
} satisfies Record<SourceOption, true>

const SOURCE_FIELDS: readonly string[] = [...Object.keys(SOURCE_OPTIONS), 'databaseUrl']
/** Of one database: with several, nobody could say of which. */
const SOURCE_VARIABLES = { ROWCAST_SLOT: undefined, ROWCAST_PUBLICATION: undefined }

/** The variable with the address of a source's database. */
export function databaseVariable(source: string): string {
  return `${source.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toUpperCase()}_DATABASE_URL`
}

/** What is said of each source, its own and what all share. */
export function sourceSayings(
  { fields, env, flags }: Sayings,
  faults: Faults,
): readonly (readonly [name: string, said: Sayings])[] {
  const { sources, ...shared } = fields
  const isSaid = (name: string) => SOURCE_FIELDS.includes(name) && shared[name] !== undefined
  for (const name of Object.keys(shared).filter(isSaid)) {
    const happened = `\`${name}\` stands beside \`sources\`, and is said of one database.`
    faults.add('CONFIG_BAD_FIELD', happened, `Write it in the source that it is of.`)
  }
  const entries = hasMembers(sources) && !Array.isArray(sources) ? Object.entries(sources) : []
  if (entries.length === 0) {
    const hint = 'Write sources: { main: { catalog, createPrisma }, … }, or leave `sources` out.'
    faults.add('CONFIG_BAD_FIELD', '`sources` names no database.', hint)
  }
  const { databaseUrl: _, ...serverFlags } = flags
  return entries.flatMap(([name, own]) => {
    if (!isSourceName(name)) {
      const hint = 'Use letters, digits and _, a letter first.'
      faults.add('CONFIG_BAD_NAME', `A source cannot be called "${name}".`, hint)
      return []
    }
    if (!hasMembers(own)) {
      faults.add('CONFIG_BAD_FIELD', `\`sources.${name}\` is no object.`)
      return []
    }
    for (const each of Object.keys(own).filter((field) => !SOURCE_FIELDS.includes(field))) {
      const hint = `Options of one database are ${SOURCE_FIELDS.join(', ')}; all others stand beside \`sources\`.`
      faults.add('CONFIG_BAD_FIELD', `\`sources.${name}.${each}\` is no option of one database.`, hint)
    }
    const { databaseUrl, ...said } = own
    const variable = databaseVariable(name)
    const url = env[variable] || databaseUrl
    if (typeof url !== 'string' || url === '') {
      const hint = `Set ${variable}, or write \`databaseUrl\` in the source.`
      faults.add('CONFIG_NO_DATABASE', `Source ${name}: ${variable} is not set.`, hint)
      return []
    }
    const ofSource = { ...env, ...SOURCE_VARIABLES, DATABASE_URL: url }
    return [[name, { fields: { ...shared, ...said }, env: ofSource, flags: serverFlags }] as const]
  })
}

/** What was found of each source, with its name; what was found of all is said once. */
export function addSourceFaults(
  resolved: readonly { readonly name: string; readonly errors: readonly RowcastError[] }[],
  faults: Faults,
): void {
  const isOfAll = ({ message }: RowcastError) =>
    resolved.length > 1 && resolved.every(({ errors }) => errors.some((each) => each.message === message))
  const shared = new Map(
    (resolved[0]?.errors ?? []).filter(isOfAll).map((error) => [error.message, error] as const),
  )
  for (const error of shared.values()) faults.note(error)
  for (const { name, errors } of resolved) {
    for (const { code, happened, hint } of errors.filter((error) => !shared.has(error.message)))
      faults.note(new RowcastError(code, `Source ${name}: ${happened}`, { hint }))
  }
}

/** Sessions are rows of one database: without its changes nobody's would end. */
export function checkSessions(sessions: unknown, config: Config, faults: Faults): void {
  const model = memberOf(sessions, 'model')
  const all = Object.entries(config.sources ?? { '': config })
  if (typeof model !== 'string' || all.every(([, { catalog }]) => Object.keys(catalog.models).length === 0))
    return
  const having = all.flatMap(([name, { catalog }]) => (Object.hasOwn(catalog.models, model) ? [name] : []))
  if (having.length === 0)
    faults.add('CATALOG_UNKNOWN_MODEL', `\`sessions\` names "${model}", which no Prisma schema has.`)
  if (having.length > 1) {
    const hint = 'Give one of the models another name in its Prisma schema; `@@map` keeps its table.'
    faults.add('CONFIG_BAD_FIELD', `\`sessions\` names "${model}", which ${having.join(' and ')} have.`, hint)
  }
}

/** Slots, publications, streams in a broker and names in GraphQL: what no two sources may share. */
export function checkSources(sources: Readonly<Record<string, Config>>, faults: Faults): void {
  const owners = new Map<string, string>()
  /** On several servers it may come to be on any of them. */
  const claim = (things: readonly string[], source: string, what: string, hint: string): void => {
    const [other] = things.flatMap((thing) => owners.get(thing) ?? [])
    if (other === undefined) for (const thing of things) owners.set(thing, source)
    else faults.add('CONFIG_BAD_NAME', `The sources ${other} and ${source} have ${what} in common.`, hint)
  }
  for (const [name, { databaseUrl, slot, publication }] of Object.entries(sources)) {
    const { host, port, database, choice } = parseConnectionTarget(databaseUrl)
    const servers = choice?.servers ?? [{ host, port }]
    claim(
      servers.map((each) => JSON.stringify(['slot', each.host, each.port, slot])),
      name,
      `the slot "${slot}"`,
      'Slots belong to the whole server: give each source a `slot` of its own.',
    )
    claim(
      servers.map((each) => JSON.stringify(['publication', each.host, each.port, database, publication])),
      name,
      `the publication "${publication}" of one database`,
      'Give each source a `publication` of its own.',
    )
  }
  for (const [name, { scaling }] of Object.entries(sources)) {
    const { broker = 'memory' } = scaling
    if (broker === 'memory') continue
    const prefix = typeof broker === 'string' ? undefined : broker.prefix
    if (prefix === undefined) {
      const hint = `Write broker: { url, prefix: '…:${name}' } in the source: streams of two databases must not mix.`
      faults.add('CONFIG_BAD_BROKER', `Source ${name} has a broker, and no \`prefix\` there.`, hint)
    } else
      claim([JSON.stringify(['prefix', prefix])], name, `the prefix "${prefix}" in the broker`, PREFIX_HINT)
  }
  const catalogs = Object.fromEntries(Object.entries(sources).map(([name, { catalog }]) => [name, catalog]))
  faults.catch<unknown>(() => namesInOneSchema(catalogs), null)
}

const PREFIX_HINT = 'Give each source a `prefix` of its own.'
