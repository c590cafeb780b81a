/**
 * Who a client is, by a JSON Web Token: from the authorization header over HTTP and SSE, from connectionParams
 * over WebSocket. In rowcast.config.ts: `context: createJwtContext({ secret, … })`.
 */
import { errors, jwtVerify } from 'jose'
import type { ContextFunction, ContextSource } from 'rowcast'

/** How tokens are made, and whether one was taken back. */
export interface JwtContextOptions {
  readonly secret: Uint8Array
  readonly issuer: string
  readonly audience: string
  /** Whether a subject's sessions were taken back: a look into your own table or cache. */
  readonly isRevoked?: (subject: string) => boolean | Promise<boolean>
}

/** Lets in who has a valid token. The connection ends when the token does, or when the subject is revoked. */
export function createJwtContext(options: JwtContextOptions): ContextFunction {
  const { secret, issuer, audience, isRevoked = () => false } = options
  return async (source) => {
    const token = tokenOf(source)
    if (token === null) return null
    try {
      // The list of algorithms is what keeps a token with "alg": "none", or one of another kind, out.
      const { payload } = await jwtVerify(token, secret, { issuer, audience, algorithms: ['HS256'] })
      const { sub, exp } = payload
      if (sub === undefined || exp === undefined || (await isRevoked(sub))) return null
      return {
        context: { viewer: sub },
        expiresAt: exp * 1000,
        revalidate: async () => !(await isRevoked(sub)),
      }
    } catch (error) {
      // A bad token is the client's mistake; anything else is ours, and is logged and masked.
      if (error instanceof errors.JOSEError) return null
      throw error
    }
  }
}

/** Never from the address: addresses end up in logs. */
function tokenOf(source: ContextSource): string | null {
  if (source.kind === 'websocket') {
    const { token } = source.connectionParams
    return typeof token === 'string' ? token : null
  }
  return /^Bearer (\S+)$/i.exec(source.headers.authorization ?? '')?.[1] ?? null
}
