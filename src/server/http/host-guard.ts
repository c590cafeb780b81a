/**
 * Stage 8, server. Under which names this server may be asked. A page of any site can have its own name point to this
 * machine (DNS rebinding): to the browser the server is then a part of that site, and the Host header is what shows it.
 */
import { isIP } from 'node:net'

/** Decides about hosts. */
export interface HostGuard {
  /** @param host of the request's Host header */
  isAllowed(host: string | undefined): boolean
}

/** What it goes by. */
export interface HostGuardOptions {
  /** Names, `.example.com` for all below one, `*` for all. @default all with a `context`, none without */
  readonly allowedHosts: readonly string[] | undefined
  /** Whether clients have to show who they are: a page that rebinds a name has none of their cookies. */
  readonly hasContext: boolean
  /** What the server listens on. */
  readonly host: string
}

/** Creates it. Addresses, `localhost` and the name the server listens on can always be used: no page can rebind them. */
export function createHostGuard({ allowedHosts, hasContext, host }: HostGuardOptions): HostGuard {
  const names = (allowedHosts ?? (hasContext ? ['*'] : [])).map((name) => name.toLowerCase())
  if (names.includes('*')) return { isAllowed: () => true }
  const exact = new Set([...names.map(nameOf), host.toLowerCase(), 'localhost'])
  const endings = ['.localhost', ...names.filter((name) => name.startsWith('.')).map(nameOf)]
  return {
    isAllowed(given) {
      // Programs of old send none; browsers always do.
      if (given === undefined) return true
      const name = nameOf(given.toLowerCase())
      return isIP(name) !== 0 || exact.has(name) || endings.some((ending) => name.endsWith(ending))
    },
  }
}

/** Without port, brackets and the dot that ends an absolute name. */
function nameOf(host: string): string {
  const end = host.startsWith('[') ? host.indexOf(']') : host.indexOf(':')
  const name = host.slice(host.startsWith('[') ? 1 : 0, end < 0 ? undefined : end)
  return name.endsWith('.') ? name.slice(0, -1) : name
}
