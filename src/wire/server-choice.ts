/**
 * Stage 1, wire. The servers of one address, where it names several. Source: PostgreSQL manual, "Specifying Multiple Hosts" of libpq.
 */

export interface ServerAddress {
  readonly host: string
  readonly port: number
}

/** `any`: a primary where one is there, else the first that lets us in. `read-write`: also none whose sessions are read-only by default. */
export type WantedServer = 'any' | 'primary' | 'read-write'

/** The servers of one address. All connections of a process to it share this: who looks at a slot asks the server that sends its changes. */
export class ServerChoice {
  readonly servers: readonly ServerAddress[]
  readonly wanted: WantedServer
  /** Where the last search ended. */
  #first = 0
  /** Where streams are open, the latest last. */
  readonly #held: ServerAddress[] = []

  constructor(servers: readonly ServerAddress[], wanted: WantedServer) {
    this.servers = servers
    this.wanted = wanted
  }

  /** All of them, the last that was taken first; while a stream is open, its server alone. */
  inOrder(): readonly ServerAddress[] {
    const held = this.#held.at(-1)
    if (held !== undefined) return [held]
    return [...this.servers.slice(this.#first), ...this.servers.slice(0, this.#first)]
  }

  accept(server: ServerAddress): void {
    this.#first = Math.max(0, this.servers.indexOf(server))
  }

  /** Nobody looks elsewhere until it is let go: who is not let in there for a moment would judge the slot by another server. */
  hold(server: ServerAddress): () => void {
    this.#held.push(server)
    return () => {
      const index = this.#held.indexOf(server)
      if (index >= 0) this.#held.splice(index, 1)
    }
  }
}

/** `a:5432,b:5432`; IPv6 addresses in brackets. */
export function formatServers(servers: readonly ServerAddress[]): string {
  return servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
}
