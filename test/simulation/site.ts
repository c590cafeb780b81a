/** Where the application's database is: the server that is primary, and those that were until a standby took over. */
import type { Random } from '../chaos/random.ts'
import type { Database, LedgerEntry } from './database.ts'
import type { Weather } from './link.ts'
import { Server } from './server.ts'

/** A timeline that was given up. Its server may live on, and write what nobody will ever have. */
export interface Branch {
  readonly ledger: readonly LedgerEntry[]
  /** So many of its entries, of all models, are on the timeline that followed. */
  readonly sharedCount: number
  readonly server: Server
}

/** The servers. */
export class Site {
  #server: Server
  readonly branches: Branch[] = []
  readonly #random: Random
  readonly #weather: Weather

  constructor(database: Database, random: Random, weather: Weather) {
    this.#random = random
    this.#weather = weather
    this.#server = new Server(database, random.fork(), weather)
  }

  /** Where the address leads. */
  get server(): Server {
    return this.#server
  }

  get database(): Database {
    return this.#server.database
  }

  get servers(): readonly Server[] {
    return [...this.branches.map(({ server }) => server), this.#server]
  }

  /** The standby is promoted, and the address leads to it. Who is connected with the old primary stays so until that one ends. */
  failOver(): Branch {
    const { database } = this
    const promoted = database.promoteStandby(this.#random.fork())
    const branch = { ledger: database.ledger, sharedCount: promoted.ledger.length, server: this.#server }
    this.branches.unshift(branch)
    this.#server = new Server(promoted, this.#random.fork(), this.#weather)
    return branch
  }
}

/** How many of a model's entries both timelines have. */
export function sharedOf({ ledger, sharedCount }: Branch, model: string): number {
  return ledger.slice(0, sharedCount).filter((entry) => entry.model === model).length
}
