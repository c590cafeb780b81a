/** Stage 8, server. Which connections may become WebSockets: decided before anything is done for one, and alike whoever took it first. */
import type { IncomingMessage } from 'node:http'
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
  take(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    endpoint: Pick<GraphqlEndpoint, 'handleUpgrade'> | undefined,
  ): void {
    const admitted = this.admit(request, socket, endpoint !== undefined)
    if (typeof admitted === 'string') endpoint?.handleUpgrade(request, socket, head, admitted)
    else this.#parts.refusals.refuseUpgrade(request, socket, admitted)
  }

  /** The address of its client, whose connection counts from now on; or why it is refused. @param isThere whether its path is one */
  admit(request: IncomingMessage, socket: Duplex, isThere = true): string | Refusal {
    const { connections, guard, trustedProxyCount } = this.#parts
    const refusal = this.#refusalOf(request, isThere)
    if (refusal !== null) return refusal
    const address = clientAddress(request, trustedProxyCount)
    const release = connections.acquire(address)
    if (release === null) return TOO_MANY
    socket.once('close', guard.wrap('count a connection less', release))
    return address
  }

  #refusalOf({ headers }: IncomingMessage, isThere: boolean): Refusal | null {
    const { hostGuard, originGuard, isRefusing } = this.#parts
    if (isRefusing()) return STOPPING_REFUSAL
    if (!isThere) return NOT_FOUND
    if (!hostGuard.isAllowed(headers.host)) return HOST_REFUSAL
    return originGuard.mayUpgrade(headers) ? null : ORIGIN_REFUSAL
  }
}
