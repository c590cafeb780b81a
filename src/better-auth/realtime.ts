/** `rowcast/better-auth`: a plugin for Better Auth that makes its models live, and its sessions those of rowcast's server. */

import type { ModelTypeMap } from '../catalog/model-catalog.ts'
import type { RegisterOptions } from '../config/register-options.ts'
import { RowcastError } from '../errors.ts'
import type { Rowcast } from '../rowcast-api.ts'
import type { SourceStatus } from '../source/replication-source.ts'
import type { SetupStep } from '../source/setup/setup-plan.ts'
import { type AuthModel, type AuthModelOptions, registrationsOf } from './auth-models.ts'
import type { AuthContext, AuthTables } from './better-auth-types.ts'
import { notePlugin, REALTIME_ID, type RealtimeState, stateOf } from './realtime-state.ts'

export { type AuthSessions, authSessions } from './auth-sessions.ts'
export type { AuthContext, AuthInstance, AuthViewer } from './better-auth-types.ts'

/** A model by Better Auth's name of it, whatever the Prisma schema calls it. */
export type AuthModelKey =
  | 'user'
  | 'session'
  | 'account'
  | 'organization'
  | 'member'
  | 'invitation'
  | 'team'
  | (string & {})

/** What `realtime()` takes. */
export interface RealtimeOptions<Types extends ModelTypeMap = ModelTypeMap, Metadata = unknown> {
  /** Not started yet. */
  readonly rowcast: Rowcast<Types, Metadata>
  /**
   * Which models are live, by Better Auth's names of them, and what `register()` takes for each. `user` and `session` always are: connections
   * end with them. Without `rows` a viewer sees their own rows, and those of the organizations that they are a member of.
   * @default ['user', 'session']
   */
  readonly models?: readonly AuthModelKey[] | Readonly<Record<string, RegisterOptions>> | undefined
}

/** How far the set-up is. */
export interface RealtimeStatus {
  /** Whether changes flow. */
  readonly isLive: boolean
  /** Model of the Prisma schema by Better Auth's name of it. */
  readonly models: Readonly<Record<string, string>>
  readonly source: SourceStatus
}

/** An endpoint without a path: `auth.api` has it, HTTP does not. */
export type ServerEndpoint<Answer> = ((context?: object) => Promise<Answer>) & {
  readonly path: string
  readonly options: { readonly method: 'GET' | 'POST'; readonly metadata: { readonly SERVER_ONLY: true } }
}

/** The plugin. */
export interface RealtimePlugin {
  readonly id: 'rowcast'
  /** Registers the models. */
  init(context: AuthContext): void
  readonly endpoints: {
    /** `auth.api.realtimeStatus()`: which models are live, and whether changes flow. */
    realtimeStatus: ServerEndpoint<RealtimeStatus>
    /** `auth.api.realtimeEnable()`: runs `rowcast.enable()`, and says what it did. */
    realtimeEnable: ServerEndpoint<readonly SetupStep[]>
  }
}

/**
 * Makes the plugin. `await auth.$context` registers the models: before `rowcast.enable()` and `rowcast.start()`.
 * That rejects with BETTER_AUTH_MODEL, or what `register()` throws.
 */
export function realtime<Types extends ModelTypeMap, Metadata>(
  options: RealtimeOptions<Types, Metadata>,
): RealtimePlugin {
  const state = stateOf(options.rowcast as unknown as Rowcast)
  const models = modelsOf(options.models)
  const plugin: RealtimePlugin = {
    id: REALTIME_ID,
    init: ({ tables }) => register(state, tables as AuthTables, models),
    endpoints: {
      realtimeStatus: endpoint('GET', async () => statusOf(state)),
      realtimeEnable: endpoint('POST', () => state.rowcast.enable()),
    },
  }
  notePlugin(plugin, state)
  return plugin
}

function modelsOf(given: RealtimeOptions['models'] = []): AuthModelOptions {
  const own = Array.isArray(given) ? Object.fromEntries(given.map((key) => [key, {}])) : given
  return { user: {}, session: {}, ...own }
}

function register(state: RealtimeState, tables: AuthTables, options: AuthModelOptions): void {
  const { rowcast, watch, models } = state
  // Where sessions are kept in another storage there is no such table; Better Auth is asked at an interval then.
  const { session: ofSession, ...others } = options
  const asked = tables['session'] === undefined ? others : { ...others, session: ofSession ?? {} }
  const all = registrationsOf(tables, rowcast.catalog, asked)
  const session = all.find(({ key }) => key === 'session')
  const user = all.find(({ key }) => key === 'user')
  for (const each of [session, user]) if (each !== undefined) checkKey(each)
  for (const { key, spec, options: registered } of all) {
    // A module that was loaded again brings the same models once more.
    if (models.get(key) === spec.name) continue
    if (rowcast.isRegistered(spec.name)) {
      throw new RowcastError('BETTER_AUTH_MODEL', `Model ${spec.name} is registered already.`, {
        hint: `Leave register('${spec.name}') out, and give its options to realtime(): models: { ${key}: { … } }.`,
      })
    }
    rowcast.register(spec.name, registered)
    models.set(key, spec.name)
  }
  if (session !== undefined && user !== undefined) watch.follow({ session, user })
}

/** A deleted row is known by its key: without the id nobody could say whose session ended. @throws BETTER_AUTH_MODEL */
function checkKey({ key, spec }: AuthModel): void {
  if (spec.primaryKey.includes('id')) return
  throw new RowcastError('BETTER_AUTH_MODEL', `The primary key of ${spec.name} does not have \`id\`.`, {
    hint: `Better Auth knows a row of "${key}" by its \`id\`: mark the field \`@id\` in the Prisma schema.`,
  })
}

function statusOf({ rowcast, models }: RealtimeState): RealtimeStatus {
  const source = rowcast.status()
  return { isLive: source.state === 'streaming', models: Object.fromEntries(models), source }
}

/** What Better Auth's own `createAuthEndpoint` makes, as `auth.api` calls it. */
function endpoint<Answer>(method: 'GET' | 'POST', answer: () => Promise<Answer>): ServerEndpoint<Answer> {
  const call = async () => ({ response: await answer(), headers: new Headers(), status: 200 })
  const described = { path: undefined, options: { method, metadata: { SERVER_ONLY: true } } }
  return Object.assign(call, described) as never
}
