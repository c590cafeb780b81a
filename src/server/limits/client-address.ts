/** Stage 8, server. Which address a client has, in one spelling, and how many connections each of them holds. */
import type { IncomingMessage } from 'node:http'
import { isIPv4, isIPv6 } from 'node:net'

/**
 * The client's address. With proxies in front, the entry of X-Forwarded-For that the outermost of them wrote:
 * what stands left of it is the client's own word.
 */
export function clientAddress(request: IncomingMessage, trustedProxyCount: number): string {
  const own = request.socket.remoteAddress ?? ''
  const ownAddress = normalizeAddress(own) ?? own
  if (trustedProxyCount === 0) return ownAddress
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
  const hop = forwarded.split(',').at(-trustedProxyCount)?.trim() ?? ''
  return normalizeAddress(hop) ?? ownAddress
}

/**
 * An address in its one spelling (RFC 5952; an IPv4 address mapped into IPv6 as IPv4), without the port, brackets and
 * zone that proxies and systems add. Null for what is no address.
 */
export function normalizeAddress(text: string): string | null {
  const [host = ''] = withoutPort(text).split('%', 1)
  if (isIPv4(host)) return host
  if (!isIPv6(host)) return null
  const groups = groupsOf(host)
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  const [high = 0, low = 0] = groups.slice(6)
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  return spelled(host)
}

/** `1.2.3.4:5678`, `[::1]:5678` and `[::1]` without port and brackets. */
function withoutPort(text: string): string {
  if (text.startsWith('[')) return text.slice(1, text.includes(']') ? text.indexOf(']') : undefined)
  const [host = '', port, ...rest] = text.split(':')
  return port !== undefined && rest.length === 0 ? host : text
}

/** As the URL standard, and with it RFC 5952, has it. */
function spelled(ipv6: string): string {
  return new URL(`http://[${ipv6}]`).hostname.slice(1, -1)
}

/** The eight numbers of an IPv6 address. */
function groupsOf(ipv6: string): number[] {
  const [head = '', tail] = spelled(ipv6).split('::')
  const numbersOf = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [numbersOf(head), numbersOf(tail ?? '')]
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
}

/** Counts the open connections of each address. */
export interface ConnectionCounter {
  /** Takes a place and returns its release, or null when the address has all it may have. */
  acquire(address: string): (() => void) | null
}

/** How it counts. */
export interface ConnectionCounterOptions {
  readonly connectionsPerAddressMax: number
  readonly ipv6PrefixLength: number
}

/** Creates a counter. Loopback is the machine's own, or a proxy that stands for everybody: not counted. */
export function createConnectionCounter(options: ConnectionCounterOptions): ConnectionCounter {
  const counts = new Map<string, number>()
  return {
    acquire(address) {
      if (isLoopback(address)) return () => undefined
      const client = networkOf(address, options.ipv6PrefixLength)
      const count = counts.get(client) ?? 0
      if (count >= options.connectionsPerAddressMax) return null
      counts.set(client, count + 1)
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        const left = (counts.get(client) ?? 1) - 1
        if (left === 0) counts.delete(client)
        else counts.set(client, left)
      }
    },
  }
}

/** The network that counts as one client: of IPv6 the prefix, of IPv4 the address. */
export function networkOf(address: string, prefixLength: number): string {
  if (!isIPv6(address)) return address
  const kept = groupsOf(address).map((group, index) => {
    const bits = Math.min(Math.max(prefixLength - index * 16, 0), 16)
    return group & (0xffff << (16 - bits)) & 0xffff
  })
  return `${kept.map((group) => group.toString(16)).join(':')}/${prefixLength}`
}

/** 127.0.0.0/8 and ::1, of addresses in their one spelling: a name like `127.example.com` is none. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}
