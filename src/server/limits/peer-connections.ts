/**
 * Stage 8, server. The TCP connections of a peer, whatever they are for: those that send nothing, or a request now and then, hold a
 * descriptor each, of which the connections to PostgreSQL need some as well.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Guard } from '../../guard.ts'
import { createConnectionCounter, normalizeAddress } from './client-address.ts'
import type { ServerLimits } from './limits.ts'

/** A browser opens six beside its WebSocket, and a few more in advance: of all kinds twice as many as of those that stay. */
const FACTOR = 2

/**
 * Cuts what a peer opens beyond the bound, before a byte of it is read. Behind proxies the peer is one of them, and stands for
 * everybody: then nothing is counted, and neither is loopback.
 */
export function boundPeers(
  http: Server,
  limits: Pick<ServerLimits, 'connectionsPerAddressMax' | 'ipv6PrefixLength'>,
  guard: Guard,
): void {
  const counter = createConnectionCounter({
    ...{ connectionsPerAddressMax: FACTOR * limits.connectionsPerAddressMax },
    ipv6PrefixLength: limits.ipv6PrefixLength,
  })
  const count = (socket: Socket): void => {
    const { remoteAddress = '' } = socket
    const release = counter.acquire(normalizeAddress(remoteAddress) ?? remoteAddress)
    if (release === null) socket.destroy()
    else socket.once('close', guard.wrap('count a connection less', release))
  }
  http.on(
    'connection',
    guard.wrap('count a connection', count, (_failure, socket) => socket.destroy()),
  )
}
