/**
 * Every option of the config, one row each: its check, its default, its variable and its line in docs/configuration.md. The rows
 * are held to the types of config.ts in both directions. What depends on other options, the catalog or NODE_ENV is in resolve-config.ts.
 */
import { SCALING } from '../broker/broker-options.ts'
import { isMetadataExposure } from '../graphql/policy/metadata-view.ts'
import { isSubgraph, type Subgraph } from '../graphql/subgraph/is-subgraph.ts'
import { hasMembers } from '../member-of.ts'
import { isMetadataSchema } from '../metadata-schema.ts'
import {
  is,
  isCountOrText,
  isFlag,
  isFunction,
  isObject,
  isOneOf,
  isPositiveCount,
  maybe,
  type Nothing,
  type Option,
  type OptionRows,
  option,
  type RefusedBy,
  type ValueCheck,
} from '../option.ts'
import { SECURITY } from '../server/security-options.ts'
import { LISTS } from '../sets/list-bounds.ts'
import { RELATED_ROWS } from '../sets/related-rows-options.ts'
import { parseConnectionTarget } from '../source/db/database-address.ts'
import { DURABILITY, WIRE } from '../source/durability-options.ts'
import type { EnvironmentConfig, ServiceConfig } from './config.ts'

const LIVE_PAGE_HINT = 'Write livePage: true, false or { authorize: (context) => … }.'
const METRICS_HINT =
  'Set METRICS_TOKEN, or write metrics: true, false or { authorize: ({ headers, remoteAddress }) => … }.'
const SLOW_HINT =
  "Write slowSubscribers: { queueLengthMax?: a number above 0, heldBytesMax?: bytes, policy?: 'end' | 'conflate', mayClientsChoose?: boolean }."

/** An object with a function, kept as it is: the function may use `this`. */
const hasFunction = (name: string) => (value: unknown) =>
  hasMembers(value) && typeof value[name] === 'function'

const isFlagOr = <Guarded>(name: string) =>
  maybe(
    is<boolean | Guarded>(
      (value) => typeof value === 'boolean' || hasFunction(name)(value),
      'cannot be used',
    ),
  )

/** A setting as messages show it; settings that may hold secrets never get here. */
const quote = (value: unknown) => (typeof value === 'string' ? `"${value}"` : String(value))

/** A name in PostgreSQL; an empty one is none. */
const isNameOf = (thing: string, pattern: RegExp) =>
  maybe(
    is<string>(
      (value) => typeof value === 'string' && (value === '' || pattern.test(value)),
      (value) => `The name of the ${thing} cannot be used: ${quote(value)}.`,
    ),
  )

const isText = is<string>((value) => typeof value === 'string', 'is not a text')

type Dev = NonNullable<ServiceConfig['dev']>

/** All options, in the order of the documentation. */
export const OPTIONS = {
  sources: option({
    check: maybe(
      is<NonNullable<ServiceConfig['sources']>>(
        hasMembers,
        'is not of the form { main: { catalog, createPrisma, … } }',
      ),
    ),
    byDefault: 'one database',
    meaning: 'several databases behind one schema: [below](#several-databases)',
  }),
  catalog: option({
    check: is<ServiceConfig['catalog']>(
      (value) => hasMembers(value) && hasMembers(value['models']),
      'The config file has no `catalog`.',
    ),
    hint: 'Import `catalog` from the file that `generator rowcast` writes, and pass it on.',
    byDefault: '–',
    meaning: 'what `generator rowcast` wrote',
  }),
  databaseUrl: option({
    check: is<string>((value) => typeof value === 'string' && value !== '', 'DATABASE_URL is not set.'),
    verify: parseConnectionTarget,
    code: 'CONFIG_NO_DATABASE',
    hint: 'Set DATABASE_URL, or run `rowcast dev`.',
    isOfEnvironment: true,
    env: 'DATABASE_URL',
    byDefault: '–',
    meaning:
      'the database, directly: poolers do not pass replication. `?schema=` has to name the schema of the adapter, `new PrismaPg(…, { schema })`, which does not read it there',
  }),
  createPrisma: option({
    check: isFunction<ServiceConfig['createPrisma']>(),
    hint: 'Write createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }).',
    byDefault: '–',
    meaning: 'makes the Prisma Client of queries and relation fields',
  }),
  schema: option({
    check: maybe(isFunction<NonNullable<ServiceConfig['schema']>>()),
    byDefault: 'made from the catalog',
    meaning:
      '`({ feed, prisma, policies }) => GraphQLSchema`: a schema of your own: [below](#a-schema-of-your-own)',
  }),
  subgraph: option({
    check: maybe(
      is<boolean | Subgraph>(isSubgraph, "is no flag, 'rows', 'keys' nor { entities, changeCursor }"),
    ),
    byDefault: '`false`',
    meaning: "`true`, `'rows'`, `'keys'`, or an object: an Apollo subgraph: [subgraph](subgraph.md)",
  }),
  models: option({
    check: maybe(
      is<NonNullable<ServiceConfig['models']>>(
        (value) => value === 'all' || (hasMembers(value) && !Array.isArray(value)),
        "is neither 'all' nor an object of models, { User: {}, Order: { omit: ['note'] } }",
      ),
    ),
    byDefault: "`'all'`",
    meaning: 'which models are live, and who sees what of them: below',
  }),
  sessions: option({
    check: maybe(
      is<NonNullable<ServiceConfig['sessions']>>(
        (value) => hasFunction('of')(value) && typeof Object(value).model === 'string',
        "is not of the form { model: 'Session', of: (context) => ({ id: … }) }",
      ),
    ),
    byDefault: 'as `context` says',
    meaning:
      "`{ model: 'Session', of: ({ sessionId }) => ({ id: sessionId }) }`: sessions that are rows, and end with them: [security](security.md)",
  }),
  names: option({
    check: maybe(
      is<NonNullable<ServiceConfig['names']>>(
        hasMembers,
        "is not of the form { User: 'Person', 'User.email': 'address' }",
      ),
    ),
    byDefault: 'their own',
    meaning:
      "`{ User: 'Person', 'User[]': 'people', 'User.email': 'address', 'Role.true': 'YES' }`: what they are called in GraphQL: [names](graphql.md#names)",
  }),
  alwaysRequired: option({
    check: maybe(isFlag),
    byDefault: '`false`',
    meaning:
      'keeps fields of required Float and DateTime columns required in GraphQL; a value without a form there (`NaN`, `infinity`) then fails its row: [types](types.md#values-that-graphql-has-no-form-for)',
  }),
  metadata: option({
    check: maybe(
      is<NonNullable<ServiceConfig['metadata']>>(
        isMetadataSchema,
        'is no validator that speaks Standard Schema',
      ),
    ),
    hint: 'Write metadata: z.object({ actor: z.string() }), or with another validator that answers at once.',
    byDefault: 'any JSON',
    meaning: 'checks what transactions say of themselves: [metadata](metadata.md)',
  }),
  showMetadata: option({
    check: maybe(is<NonNullable<ServiceConfig['showMetadata']>>(isMetadataExposure, 'cannot be used')),
    hint: "Write showMetadata: { fields: (context) => ['mutationId'], shape?: { mutationId: 'String' } }; types are String, ID, Int, Float, Boolean and JSON.",
    byDefault: 'nothing',
    meaning:
      "`{ fields: (context) => 'all', shape?: { actor: 'String' } }`: what of it GraphQL shows, and to whom",
  }),
  public: option({
    check: maybe(isFlag),
    byDefault: '`false`',
    meaning: 'says that models without a policy may be seen by everybody who is let in',
  }),
  slot: option({
    // Of the two only a slot's characters are restricted. PostgreSQL's manual, chapter 54.19.
    check: isNameOf('slot', /^[a-z0-9_]{1,63}$/),
    code: 'CONFIG_BAD_NAME',
    env: 'ROWCAST_SLOT',
    byDefault: "`rowcast_` and the database's name",
    meaning: 'name in PostgreSQL, where slots belong to the whole server: no two projects share one',
  }),
  publication: option({
    check: isNameOf('publication', /^.{1,63}$/su),
    code: 'CONFIG_BAD_NAME',
    env: 'ROWCAST_PUBLICATION',
    byDefault: '`rowcast`',
    meaning: 'name in PostgreSQL, within the database',
  }),
  host: option({
    check: maybe(
      is<string>(
        (value) => typeof value === 'string' && value !== '',
        (value) => `The host is not a text: ${quote(value)}.`,
      ),
    ),
    env: 'HOST',
    byDefault: '`127.0.0.1`',
    meaning: 'address to listen on; `0.0.0.0` for every network of the machine',
  }),
  port: option({
    check: maybe(isCountOrText(0, 65_535, (value) => `The port is ${quote(value)}.`)),
    code: 'CONFIG_BAD_PORT',
    env: 'PORT',
    byDefault: '`4000`',
    meaning: 'TCP port to listen on; 0 takes a free one',
  }),
  graphiql: option({
    check: maybe(isFlag),
    byDefault: 'not in production',
    meaning: 'GraphiQL for browsers at /graphql',
  }),
  livePage: option({
    check: isFlagOr<Exclude<ServiceConfig['livePage'], boolean | undefined>>('authorize'),
    hint: LIVE_PAGE_HINT,
    byDefault: 'not in production',
    meaning: 'the page at /; in production `{ authorize: (context) => … }`',
  }),
  ...SECURITY,
  slowSubscribers: option({
    check: maybe(
      isObject(
        {
          queueLengthMax: maybe(isPositiveCount),
          heldBytesMax: maybe(isPositiveCount),
          policy: maybe(isOneOf(['end', 'conflate'])),
          mayClientsChoose: maybe(isFlag),
        },
        'cannot be used',
      ),
    ),
    hint: SLOW_HINT,
    byDefault: "`{ queueLengthMax: 65536, policy: 'end' }`",
    meaning:
      'what happens to clients that are too slow: what waits beyond `queueLengthMax`, or `heldBytesMax` of memory for all, is read from the log, or conflated; `mayClientsChoose` lets them say',
  }),
  ...{ ...LISTS, ...RELATED_ROWS, ...DURABILITY, ...WIRE, ...SCALING },
  metrics: option({
    check: isFlagOr<Exclude<ServiceConfig['metrics'], boolean | undefined>>('authorize'),
    hint: METRICS_HINT,
    byDefault: 'not in production',
    meaning: 'Prometheus at /metrics; in production with `METRICS_TOKEN` (bearer) or `{ authorize }`',
  }),
  metricsToken: option({
    check: maybe(isText),
    isOfEnvironment: true,
    env: 'METRICS_TOKEN',
    byDefault: '–',
    meaning: 'bearer token of /metrics',
  }),
  debug: option({
    check: maybe(is<NonNullable<ServiceConfig['debug']>>(hasFunction('canExplain'), 'cannot be used')),
    hint: 'Write debug: { canExplain: (context) => … }.',
    byDefault: 'nobody',
    meaning:
      '`{ canExplain: (context) => … }`: who may ask why a change did not come: [observability](observability.md)',
  }),
  dev: option({
    check: maybe(
      isObject(
        {
          migrationsFolder: maybe(isText),
          exampleSql: maybe(isText),
          seed: maybe(isFunction<NonNullable<Dev['seed']>>()),
          traffic: maybe(isFunction<NonNullable<Dev['traffic']>>()),
        } satisfies Record<keyof Dev, unknown>,
        'is not an object',
      ) as ValueCheck<Dev>,
    ),
    byDefault: '',
    meaning: 'what `rowcast dev` does: `migrationsFolder`, `seed`, `traffic`, `exampleSql`',
  }),
  logLevel: option({
    check: maybe(isText),
    isOfEnvironment: true,
    env: 'LOG_LEVEL',
    byDefault: '`info`',
    meaning: '`trace`, `debug`, `info`, `warn`, `error`, `fatal`, `silent`',
  }),
  nodeEnv: option({
    check: maybe(isText),
    isOfEnvironment: true,
    env: 'NODE_ENV',
    byDefault: '–',
    meaning: '`production`: no GraphiQL, no introspection, a policy for each model',
  }),
} satisfies OptionRows<ServiceConfig & EnvironmentConfig>

/** Nothing that the types allow is refused; a name here is a check that is too narrow. */
export type RefusedOption = Nothing<RefusedBy<typeof OPTIONS, ServiceConfig & EnvironmentConfig>>

/** Names of the options of the config file. */
export const CONFIG_FIELDS: readonly string[] = Object.entries<Option>(OPTIONS)
  .filter(([, { isOfEnvironment }]) => isOfEnvironment === undefined)
  .map(([name]) => name)
