/** What a service is given: the object that rowcast.config.ts exports, and what it becomes once checked. */
import type { ScalingOptions } from '../broker/broker-options.ts'
import type { OverflowPolicy } from '../bus/bus.ts'
import type { RelatedWhere } from '../bus/filter/related-where-type.ts'
import type { Where } from '../bus/filter/where-type.ts'
import type { ModelCatalog, ModelTypeMap } from '../catalog/model-catalog.ts'
import type { TransactionMetadata } from '../changes/transaction-metadata.ts'
import type { Authorize } from '../graphql/activity/activity-log.ts'
import type { CanExplain } from '../graphql/change-feed.ts'
import type { MetadataExposure } from '../graphql/policy/metadata-view.ts'
import type { FieldNameOf, ModelPolicy } from '../graphql/policy/model-policy.ts'
import type { MakeSchema, SchemaLike, SchemaParts } from '../graphql/schema-parts.ts'
import type { ServedSubgraph, Subgraph } from '../graphql/subgraph/subgraph-options.ts'
import type { MetadataSchema } from '../metadata-schema.ts'
import type { MetricsGuard, MetricsRequest } from '../server/health/metrics-endpoint.ts'
import type { ServerSecurity } from '../server/limits/server-security.ts'
import type { ListCostOptions } from '../sets/list-bounds.ts'
import type { RelatedRowsBounds, RelatedRowsOptions } from '../sets/related-rows-options.ts'
import type { SessionsOptions } from '../sets/session-rows.ts'
import type { DurabilityOptions, WireOptions } from '../source/durability-options.ts'
import type { ChosenNames } from './chosen-names.ts'

/** What the service needs of a Prisma Client. */
export interface ServicePrismaClient {
  $connect(): Promise<void>
  $disconnect(): Promise<void>
}

/** How one model is exposed: who sees what of it, and what `register()` is given. */
export interface ModelConfig<Row extends object = object, Rule extends object = Where<Row>>
  extends ModelPolicy<Row, Rule> {
  /** Whether it gets a subscription; a model that does not can still be queried. @default true */
  readonly live?: boolean | undefined
  /** With `live: false`: published all the same, with whole old rows, for what depends on it. @default false; true for the model of `sessions` */
  readonly followed?: boolean | undefined
  /** See `RegisterOptions`. @default 'full' */
  readonly replicaIdentity?: 'full' | 'keep' | undefined
  /** See `RegisterOptions`. @default false for a model that is named, true for the others */
  readonly optional?: boolean | undefined
  /** Field that marks a row as deleted; see `RegisterOptions`. */
  readonly softDelete?: FieldNameOf<Row> | undefined
}

/** Which models are live, and how. */
export type ModelsConfig<Types extends ModelTypeMap = ModelTypeMap> = {
  readonly [M in keyof Types & string]?: ModelConfig<Types[M]['row'], RelatedWhere<Types, M>> | undefined
} & {
  /** The join table of an implicit many-to-many, for policies and `where` that follow the relation. */
  readonly [JoinTable in `_${string}`]?: FollowedTable | undefined
} & {
  /** Every visible model that is not named, where its table can be live. */
  readonly '*'?: DefaultModelConfig | undefined
}

/** A table that nobody sees, and that others depend on. */
export interface FollowedTable {
  readonly live: false
  readonly followed: true
}

/** Which rows are sessions, by model. */
export type SessionsConfig<Types extends ModelTypeMap = ModelTypeMap> = {
  readonly [M in keyof Types & string]: SessionsOptions<M, Where<Types[M]['row']>>
}[keyof Types & string]

/** What can be said of models without knowing their fields. */
export type DefaultModelConfig = Pick<
  ModelConfig,
  'live' | 'public' | 'canSubscribe' | 'bypassesRowSecurity' | 'replicaIdentity'
>

/** What `rowcast dev` does beside serving. */
export interface DevConfig<Prisma extends ServicePrismaClient = ServicePrismaClient> {
  /** Folder of Prisma's migrations, from the config file's folder. @default 'prisma/migrations' */
  readonly migrationsFolder?: string | undefined
  /** A statement that changes a row, to be shown as an example. */
  readonly exampleSql?: string | undefined
  /** Writes sample rows into the embedded database; called at each start. */
  seed?(prisma: Prisma): Promise<unknown>
  /** Writes plausible changes until the signal aborts, for `--traffic`. */
  traffic?(prisma: Prisma, signal: AbortSignal): Promise<void>
}

/** The object that rowcast.config.ts exports. */
export interface ServiceConfig<
  Types extends ModelTypeMap = ModelTypeMap,
  Prisma extends ServicePrismaClient = ServicePrismaClient,
> extends ServerSecurity,
    DurabilityOptions,
    WireOptions,
    ListCostOptions,
    RelatedRowsOptions,
    ScalingOptions {
  /**
   * Several databases behind one schema: `{ main: { catalog, createPrisma, … }, billing: { … } }`. What is said of one database then
   * stands in its source: everything of `SourceConfig`. @default one, of which everything is said here
   */
  readonly sources?: Readonly<Record<string, SourceConfig>> | undefined
  /** The `catalog` that `generator rowcast` wrote. */
  readonly catalog: ModelCatalog<Types>
  /** Makes the Prisma Client that answers queries and relation fields. */
  createPrisma(databaseUrl: string): Prisma
  /**
   * Makes the schema that is served, with queries, mutations and fields of your own, in the place of the one made from the
   * catalog: `({ feed, prisma, policies }) => addChanges(…)`, or a Pothos builder with `rowcast: { feed, policies, shareBy }`. Delivery,
   * limits, sessions and the orderly stop are those of `serve`. @default made from the catalog
   */
  schema?(parts: SchemaParts<Prisma>): SchemaLike
  /** As a subgraph of Apollo Federation 2, whose rows a gateway finds here (`'rows'`, true), or by `'keys'` in another one; as an object beside other subgraphs of rowcast. @default false */
  readonly subgraph?: boolean | Subgraph | undefined
  /**
   * Live models: all that are not marked `/// @rowcast.omit`, or those named, and with `'*'` the others, too: `{ '*': {}, Rank: { live: false } }`;
   * and who may see what of them. What cannot be live (a view, an unlogged table) is left out with a line in the log unless it is named.
   * With NODE_ENV=production each visible model has a policy here, or `public: true`. @default 'all'
   */
  readonly models?: 'all' | ModelsConfig<Types> | undefined
  /**
   * Sessions that are rows: `{ model: 'Session', of: ({ sessionId }) => ({ id: sessionId }) }`. A client without such a row is refused, and
   * one whose row is deleted, or is none of these any more, is disconnected before anything that committed later is delivered.
   * @default sessions end as `context` says
   */
  readonly sessions?: SessionsConfig<Types> | undefined
  /**
   * What models, enums, fields and values of enums are called in GraphQL, by their names in the Prisma schema:
   * `{ Query: 'SearchQuery', 'Query[]': 'searches', 'User.größe': 'height', 'Answer.true': 'YES' }`. It counts before `/// @rowcast.name("…")`.
   * @default their own, or the nearest that GraphQL takes and nothing else has: docs/graphql.md
   */
  readonly names?: ChosenNames | undefined
  /**
   * Keeps the fields of required Float, DateTime and `@db.Oid` columns required in GraphQL. A value that has no form there (NaN, an infinite
   * date) then fails its whole row, and the list that the row is in. @default false: such a field is null, with an error
   */
  readonly alwaysRequired?: boolean | undefined
  /**
   * Checks what transactions say of themselves: any validator that speaks Standard Schema and answers at once,
   * `z.object({ actor: z.string() })`. What it does not take is null. @default any object of JSON
   */
  readonly metadata?: MetadataSchema | undefined
  /**
   * What of it GraphQL shows, and to whom: `{ fields: ({ viewer }) => (viewer.isStaff ? 'all' : ['mutationId']) }`.
   * @default nothing: the schema has no `metadata`
   */
  readonly showMetadata?: MetadataExposure | undefined
  /** Says that everybody who is let in may see every model that has no policy; see `models`. @default false */
  readonly public?: boolean | undefined
  /** Replication slot. ROWCAST_SLOT overrides it. @default `rowcast_` and the database's name */
  readonly slot?: string | undefined
  /** Publication. ROWCAST_PUBLICATION overrides it. @default 'rowcast' */
  readonly publication?: string | undefined
  /** Address to listen on; 0.0.0.0 for every network of the machine. HOST overrides it. @default '127.0.0.1' */
  readonly host?: string | undefined
  /** TCP port; 0 takes a free one. PORT overrides it. @default 4000 */
  readonly port?: number | undefined
  /** Whether a browser at /graphql gets GraphiQL. @default true, false when NODE_ENV is production */
  readonly graphiql?: boolean | undefined
  /**
   * Whether a browser at / gets the live page, which shows status and changes. `authorize` is asked with the GraphQL
   * context of whoever wants to see them; in production there has to be one.
   * @default true, false when NODE_ENV is production
   */
  readonly livePage?: boolean | LivePageConfig | undefined
  /**
   * Whether `/metrics` serves Prometheus' metrics, and to whom; in production never to everybody. METRICS_TOKEN turns
   * them on for `authorization: Bearer <token>`. @default true, false when NODE_ENV is production
   */
  readonly metrics?: boolean | MetricsConfig | undefined
  /** Adds `Query.whyNot`, which explains why a subscription did not get a change, for those whom `canExplain` says yes to. @default no such field */
  readonly debug?: DebugConfig | undefined
  /** Whether clients may read the schema. @default true; when NODE_ENV is production, as `graphiql` */
  readonly introspection?: boolean | undefined
  /** What happens to subscribers that are read too slowly. */
  readonly slowSubscribers?: SlowSubscribers | undefined
  readonly dev?: DevConfig<Prisma> | undefined
}

/** Options of the config that are about one database; where there are `sources`, each has its own. */
export type SourceOption =
  | keyof DurabilityOptions
  | keyof WireOptions
  | 'broker'
  | 'catalog'
  | 'createPrisma'
  | 'dev'
  | 'metadata'
  | 'models'
  | 'names'
  | 'publication'
  | 'slot'

/** One database of several behind one schema. */
export interface SourceConfig<
  Types extends ModelTypeMap = ModelTypeMap,
  Prisma extends ServicePrismaClient = ServicePrismaClient,
> extends Pick<ServiceConfig<Types, Prisma>, SourceOption> {
  /** Its address. @default the variable of its name: BILLING_DATABASE_URL of the source `billing` */
  readonly databaseUrl?: string | undefined
}

/** The object that rowcast.config.ts exports where there are several databases. */
export interface SourcesConfig<Sources extends Readonly<Record<string, ModelTypeMap>>>
  extends Omit<ServiceConfig, SourceOption | 'sources'> {
  readonly sources: { readonly [Name in keyof Sources]: SourceConfig<Sources[Name]> }
}

/** What only the environment says. */
export interface EnvironmentConfig {
  readonly databaseUrl: string
  readonly metricsToken?: string | undefined
  /** Read by `serve`, whose log says also what is wrong with the others. */
  readonly logLevel?: string | undefined
  readonly nodeEnv?: string | undefined
}

/** Who may look at the live page's data. */
export interface LivePageConfig {
  /** Whether the viewer with this GraphQL context may. */
  authorize(context: object): boolean | Promise<boolean>
}

/** Who may read `/metrics`. */
export interface MetricsConfig {
  /** Whether whoever asks may. */
  authorize(request: MetricsRequest): boolean | Promise<boolean>
}

/** Who may ask why a subscription did not get a change. */
export interface DebugConfig {
  /** Whether the viewer with this GraphQL context may; `'policies'`: that, and learn what policies ask of related rows. */
  canExplain(context: object): ReturnType<CanExplain>
}

/** What happens to subscribers that are read too slowly. */
export interface SlowSubscribers {
  /** Changes that one subscription may leave waiting in memory; what follows is read from the retained log. @default 65_536 */
  readonly queueLengthMax?: number | undefined
  /** Bytes that may wait in memory for all of them. @default an eighth of what the heap has left at the start, and at most 16 MiB */
  readonly heldBytesMax?: number | undefined
  /** `end` it once the retained log has moved on without it, or `conflate`: keep the latest change of each row. @default 'end' */
  readonly policy?: OverflowPolicy | undefined
  /** Gives `<model>Changed` an argument `overflow`. @default false */
  readonly mayClientsChoose?: boolean | undefined
}

/** Types the object of rowcast.config.ts; returns it as it is. */
export function defineConfig<Types extends ModelTypeMap, Prisma extends ServicePrismaClient>(
  config: ServiceConfig<Types, Prisma>,
): ServiceConfig<Types, Prisma> {
  return config
}

/** The same for several databases. */
export function defineSources<const Sources extends Readonly<Record<string, ModelTypeMap>>>(
  config: SourcesConfig<Sources>,
): SourcesConfig<Sources> {
  return config
}

/** Everything a service is built from, checked. */
export interface Config extends Required<ListCostOptions> {
  /** By name; null where there is one database. Where there are several, what this object says of a database is of the first. */
  readonly sources: Readonly<Record<string, Config>> | null
  readonly databaseUrl: string
  readonly catalog: ModelCatalog
  readonly createPrisma: (databaseUrl: string) => ServicePrismaClient
  /** Null where the schema is made from the catalog. */
  readonly makeSchema: MakeSchema | null
  readonly subgraph: ServedSubgraph | null
  /** The live models by name, and what is declared about others. */
  readonly models: Readonly<Record<string, ModelConfig>>
  /** Names of models without a field that may be seen: they are not in the schema. */
  readonly leftOut: readonly string[]
  readonly slot: string
  /** Whether nobody named it: it is made of the database's name. */
  readonly isSlotDefault: boolean
  readonly publication: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly graphiql: boolean
  /** Null where there is none; without `authorize` everybody may see it who is let in. */
  readonly livePage: { readonly authorize: Authorize | null } | null
  /** Null where there are none. */
  readonly metrics: { readonly authorize: MetricsGuard } | null
  /** Null where nobody may ask. */
  readonly canExplain: CanExplain | null
  readonly metadata: MetadataSchema<TransactionMetadata> | undefined
  readonly showMetadata: MetadataExposure | undefined
  readonly security: ServerSecurity
  readonly durability: DurabilityOptions & WireOptions
  /** ROWCAST_ROLE and REDIS_URL override the file's. */
  readonly scaling: ScalingOptions
  readonly slowSubscribers: SlowSubscribers
  readonly relatedRows: RelatedRowsBounds
  /** Null where no sessions are rows. */
  readonly sessions: SessionsOptions | null
  readonly dev: DevConfig
}
