/** Stage 8, server. Which address a client has, and how many connections each address holds. */
import type { IncomingMessage } from 'node:http'

/**
 * The client's address. With proxies in front, the entry of X-Forwarded-For that the outermost of them wrote:
 * what stands left of it is the client's own word.
 */
export function clientAddress(request: IncomingMessage, trustedProxyCount: number): string {
  const own = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  if (trustedProxyCount === 0) return own
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
  const hops = forwarded.split(',').map((hop) => hop.trim())
  return hops.at(-trustedProxyCount) || own
}

/** Counts the open connections of each address. */
export interface ConnectionCounter {
  /** Takes a place and returns its release, or null when the address has all it may have. */
  acquire(address: string): (() => void) | null
}

/** Creates a counter. Loopback is the machine's own, or a proxy that stands for everybody: not counted. */
export function createConnectionCounter(connectionsMax: number): ConnectionCounter {
  const counts = new Map<string, number>()
  return {
    acquire(address) {
      if (isLoopback(address)) return () => undefined
      const count = counts.get(address) ?? 0
      if (count >= connectionsMax) return null
      counts.set(address, count + 1)
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        const left = (counts.get(address) ?? 1) - 1
        if (left === 0) counts.delete(address)
        else counts.set(address, left)
      }
    },
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}
