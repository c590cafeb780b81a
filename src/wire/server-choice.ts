/**
 * Stage 1, wire. The servers of one address, where it names several. Source: PostgreSQL manual, "Specifying Multiple Hosts" of libpq.
 */

export interface ServerAddress {
  readonly host: string
  readonly port: number
}

/** `any`: the first that lets us in. `read-write`: also none whose sessions are read-only by default. */
export type WantedServer = 'any' | 'primary' | 'read-write'

/** The servers of one address. All connections of a process to it share this: who looks at a slot asks the server that sends its changes. */
export class ServerChoice {
  readonly servers: readonly ServerAddress[]
  readonly wanted: WantedServer
  /** Where the last search ended. */
  #first = 0

  constructor(servers: readonly ServerAddress[], wanted: WantedServer) {
    this.servers = servers
    this.wanted = wanted
  }

  /** All of them, the last that was taken first. */
  inOrder(): readonly ServerAddress[] {
    return [...this.servers.slice(this.#first), ...this.servers.slice(0, this.#first)]
  }

  take(server: ServerAddress): void {
    this.#first = Math.max(0, this.servers.indexOf(server))
  }
}

/** `a:5432,b:5432`; IPv6 addresses in brackets. */
export function formatServers(servers: readonly ServerAddress[]): string {
  return servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
}
