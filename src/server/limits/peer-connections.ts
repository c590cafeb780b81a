/**
 * Stage 8, server. The TCP connections of a peer, whatever they are for: those that send nothing, or a request now and then, hold a
 * descriptor each, of which the connections to PostgreSQL need some as well.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { errorEntry } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import { LogBudget } from '../../log-line-budget.ts'
import type { Logger } from '../../logger.ts'
import { createConnectionCounter, normalizeAddress } from './client-address.ts'
import type { ServerLimits } from './limits.ts'

/** A browser opens six beside its WebSocket, and a few more in advance: of all kinds more than of those that stay. */
const FACTOR = 5
/** Lines of the log about it in a minute. */
const LOGGED_PER_MINUTE = 5

/**
 * Cuts what a peer opens beyond the bound, before a byte of it is read. Behind proxies the peer is one of them, and stands for
 * everybody: then nothing is counted, and neither is loopback.
 */
export function boundPeers(
  http: Server,
  limits: Pick<ServerLimits, 'connectionsPerAddressMax' | 'ipv6PrefixLength'>,
  { guard, logger }: { readonly guard: Guard; readonly logger: Logger },
): void {
  const connectionsMax = FACTOR * limits.connectionsPerAddressMax
  const { ipv6PrefixLength } = limits
  const counter = createConnectionCounter({ connectionsPerAddressMax: connectionsMax, ipv6PrefixLength })
  const budget = new LogBudget(LOGGED_PER_MINUTE)
  const cut = (socket: Socket, address: string): void => {
    socket.destroy()
    const line = budget.take()
    if (line === null) return
    const { hint } = errorEntry('TOO_MANY_CONNECTIONS')
    logger.warn('A connection was cut: its address holds as many as it may.', {
      ...{ address, connectionsMax, hint },
      ...(line.leftOut > 0 ? { leftOut: line.leftOut } : {}),
    })
  }
  const count = (socket: Socket): void => {
    const { remoteAddress = '' } = socket
    const address = normalizeAddress(remoteAddress) ?? remoteAddress
    const release = counter.acquire(address)
    if (release === null) cut(socket, address)
    else socket.once('close', guard.wrap('count a connection less', release))
  }
  http.on(
    'connection',
    guard.wrap('count a connection', count, (_failure, socket) => socket.destroy()),
  )
}
