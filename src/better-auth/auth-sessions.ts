/** Who a client is, by Better Auth's sessions, on all transports of `rowcast/server`. */
import type { RowcastError } from '../errors.ts'
import type { ContextFunction, ContextSource } from '../server/session/context.ts'
import type { AuthInstance, AuthViewer } from './better-auth-types.ts'
import { realtimeOf } from './realtime-state.ts'

/** What `createServer` takes of it. */
export interface AuthSessions {
  /** Lets in whoever has logged in; the GraphQL context is `{ user, session }`. */
  readonly context: ContextFunction
}

/**
 * `createServer({ ...authSessions(auth), schema, … })`: lets in who has a session of Better Auth, by cookie, bearer token (with Better Auth's
 * `bearer()`), or the `authorization` or `token` of connectionParams. Its WebSockets and streams end when the session expires, its
 * row is deleted, or its user is deleted or banned.
 * @throws BETTER_AUTH_MODEL where `realtime()` is not among the plugins
 */
export function authSessions<Viewer extends AuthViewer>(auth: AuthInstance<Viewer>): AuthSessions {
  const { watch } = realtimeOf(auth)
  return {
    async context(source) {
      await auth.$context
      const headers = headersOf(source)
      const ask = () => askFor(auth, headers)
      // A query is over before anybody could end it; were it watched, it would end at once.
      const beganMs = source.kind === 'http' ? Number.NEGATIVE_INFINITY : await watch.begin()
      const viewer = await ask()
      if (viewer === null) return null
      return {
        context: { user: viewer.user, session: viewer.session },
        viewerKey: viewer.user.id,
        expiresAt: source.kind === 'http' ? viewer.session.expiresAt : undefined,
        // Where sessions are kept elsewhere, or no stream comes, Better Auth is asked at an interval.
        revalidate: async () => (await ask())?.session.id === viewer.session.id,
        watch: (end: (why: RowcastError) => void) => watch.watch(viewer, beganMs, end),
      }
    },
  }
}

/** Past its cookie cache, which knows nothing of what was revoked; and without moving the session's end, as no cookie can be set. */
async function askFor<Viewer extends AuthViewer>(
  auth: AuthInstance<Viewer>,
  headers: Headers,
): Promise<Viewer | null> {
  const query = { disableCookieCache: true, disableRefresh: true } as const
  const viewer = await auth.api.getSession({ headers, query })
  return viewer === null || isBanned(viewer.user) ? null : viewer
}

function isBanned({ banned, banExpires }: AuthViewer['user']): boolean {
  return banned === true && !(banExpires instanceof Date && Number(banExpires) <= Date.now())
}

/** Those of the request; what connectionParams say of the client counts before its cookie. */
function headersOf(source: ContextSource): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(source.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  if (source.kind !== 'websocket') return headers
  const { authorization, Authorization, token } = source.connectionParams
  const said = authorization ?? Authorization ?? (typeof token === 'string' ? `Bearer ${token}` : undefined)
  if (said === undefined) return headers
  headers.delete('cookie')
  headers.set('authorization', typeof said === 'string' && isHeaderText(said) ? said : '')
  return headers
}

/** What a header may hold: anything else would throw, with the token in the message. */
function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}
