/** What `realtime()` and `authSessions()` share of one rowcast. */
import { RowcastError } from '../errors.ts'
import type { Rowcast } from '../rowcast-api.ts'
import { AuthSessionWatch } from './auth-session-watch.ts'

/** The id of the plugin. */
export const REALTIME_ID = 'rowcast'

/** Of one rowcast, whichever plugins it was given to: a module that is loaded again, as in development, makes a plugin of its own. */
export interface RealtimeState {
  readonly rowcast: Rowcast
  readonly watch: AuthSessionWatch
  /** Better Auth's key → model that was registered for it. */
  readonly models: Map<string, string>
}

const states = new WeakMap<Rowcast, RealtimeState>()
const plugins = new WeakMap<object, RealtimeState>()

/** That of a rowcast. */
export function stateOf(rowcast: Rowcast): RealtimeState {
  const state = states.get(rowcast) ?? { rowcast, watch: new AuthSessionWatch(rowcast), models: new Map() }
  states.set(rowcast, state)
  return state
}

/** Notes whose a plugin is. */
export function notePlugin(plugin: object, state: RealtimeState): void {
  plugins.set(plugin, state)
}

/** That of the plugin which an auth has. @throws BETTER_AUTH_MODEL where it has none */
export function realtimeOf(auth: {
  readonly options: { readonly plugins?: readonly object[] | undefined }
}): RealtimeState {
  for (const plugin of auth.options.plugins ?? []) {
    const state = plugins.get(plugin)
    if (state !== undefined) return state
  }
  throw new RowcastError('BETTER_AUTH_MODEL', 'This auth has no plugin of rowcast.', {
    hint: "Add realtime({ rowcast, models: ['user'] }) to the plugins of betterAuth().",
  })
}
