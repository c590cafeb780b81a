/** The model's postmaster: who is connected, and what becomes of them. */
import type { Random } from '../chaos/random.ts'
import type { Database } from './database.ts'
import { Link, type ServerEnd, type Weather } from './link.ts'
import { PostgresSession } from './postgres-session.ts'

/** A server that can be down. */
export class Server {
  readonly database: Database
  readonly sessions = new Set<PostgresSession>()
  readonly links = new Set<Link>()
  isUp = true
  /** How often it has crashed: whoever was connected before is not any more. */
  crashes = 0
  /** What the model itself got wrong. */
  readonly faults: unknown[] = []
  readonly #random: Random
  readonly #weather: Weather
  #nextPid = 100

  constructor(database: Database, random: Random, weather: Weather) {
    this.database = database
    this.#random = random
    this.#weather = weather
    database.onWal = () => {
      for (const session of this.sessions) session.wake()
    }
  }

  /** A link to it, whose socket is not connected yet. */
  link(): Link {
    const link = new Link(this.#random, this.#weather, (own) => this.#accept(own))
    this.links.add(link)
    link.socket.once('close', () => this.links.delete(link))
    return link
  }

  #accept(link: Link): ServerEnd | null {
    if (!this.isUp) return null
    this.#nextPid += 1
    const session = new PostgresSession(this, link, this.#nextPid)
    this.sessions.add(session)
    return session
  }

  forget(session: PostgresSession): void {
    this.sessions.delete(session)
  }

  terminate(pid: number): void {
    for (const session of [...this.sessions]) if (session.pid === pid) session.terminate()
  }

  crash(): void {
    this.isUp = false
    this.crashes += 1
    for (const link of [...this.links]) link.cut()
    this.database.crash()
  }

  onFault(error: unknown): void {
    this.faults.push(error)
  }
}
