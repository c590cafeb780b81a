/** Stage 8, server. Which connections may become WebSockets: decided before anything is done for one, and alike whoever took it first. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Guard } from '../guard.ts'
import type { GraphqlEndpoint } from './graphql-endpoints.ts'
import type { HostGuard } from './http/host-guard.ts'
import type { OriginGuard } from './http/origin-guard.ts'
import { type ConnectionCounter, clientAddress } from './limits/client-address.ts'
import {
  HOST_REFUSAL,
  NOT_FOUND,
  ORIGIN_REFUSAL,
  type Refusal,
  type Refusals,
  STOPPING_REFUSAL,
  TOO_MANY,
} from './refusal.ts'

/** What it decides by. */
export interface UpgradeGateParts {
  readonly guard: Guard
  readonly hostGuard: HostGuard
  readonly originGuard: OriginGuard
  readonly refusals: Refusals
  readonly connections: ConnectionCounter
  readonly trustedProxyCount: number
  /** Whether no one new is taken any more. */
  readonly isRefusing: () => boolean
}

/** One per server. */
export class UpgradeGate {
  readonly #parts: UpgradeGateParts

  constructor(parts: UpgradeGateParts) {
    this.#parts = parts
  }

  /** Hands a connection that asked for an upgrade to what is at its path, or refuses it. */
  accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    endpoint: Pick<GraphqlEndpoint, 'handleUpgrade'> | undefined,
  ): void {
    const admitted = this.admit(request, socket, endpoint !== undefined)
    if (admitted === null) return
    if (typeof admitted === 'string') endpoint?.handleUpgrade(request, socket, head, admitted)
    else this.#parts.refusals.refuseUpgrade(request, socket, admitted)
  }

  /**
   * The address of its client, whose connection counts from now on; or why it is refused; null where it has left: whoever hands a
   * connection on may have waited for something before. @param isThere whether its path is one
   */
  admit(request: IncomingMessage, socket: Duplex, isThere = true): string | Refusal | null {
    const { connections, guard, trustedProxyCount } = this.#parts
    // Nobody would count it less: it has closed already, or is about to.
    if (socket.destroyed) return null
    const refusal = this.#refusalOf(request, isThere)
    if (refusal !== null) return refusal
    const address = clientAddress(request, trustedProxyCount)
    const release = connections.acquire(address)
    if (release === null) return TOO_MANY
    socket.once('close', guard.wrap('count a connection less', release))
    return address
  }

  #refusalOf({ headers }: IncomingMessage, isThere: boolean): Refusal | null {
    if (this.#parts.isRefusing()) return STOPPING_REFUSAL
    return isThere ? refusalOfPage(headers, this.#parts) : NOT_FOUND
  }
}

/**
 * Why a page may not ask, whatever it asks for; null where it may. Over HTTP as well, where the server around is somebody else's: its
 * CORS may let in whom nobody has named here, and it may look at no name.
 */
export function refusalOfPage(
  headers: Pick<IncomingHttpHeaders, 'host' | 'origin'>,
  { hostGuard, originGuard }: Pick<UpgradeGateParts, 'hostGuard' | 'originGuard'>,
): typeof HOST_REFUSAL | typeof ORIGIN_REFUSAL | null {
  if (!hostGuard.isAllowed(headers.host)) return HOST_REFUSAL
  return originGuard.mayUpgrade(headers) ? null : ORIGIN_REFUSAL
}
