/**
 * A client that takes a model's changes slowly, and lets those of a row that a later one replaces be left out. What it is given was committed,
 * in order; and of each row that was written since it came, it has the latest at last.
 */
import type { BusSubscription } from '../../src/bus/bus.ts'
import type { AnyChange, ChangePosition } from '../../src/changes/change.ts'
import { comparePositions } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Random } from '../chaos/random.ts'
import { findEntry, Violation } from './client.ts'
import type { Row } from './database.ts'
import { NEWEST } from './folding-client.ts'
import type { Reader } from './reader.ts'
import { type Branch, type Site, sharedOf } from './site.ts'

/** What it works with. */
export interface ConflatingParts {
  readonly name: string
  readonly model: string
  readonly site: Site
  readonly random: Random
  readonly log: (text: string) => void
}

/** The client. */
export class ConflatingClient {
  readonly #parts: ConflatingParts
  #reader: Reader | null = null
  #subscription: BusSubscription | null = null
  #cursor: string | null = null
  #newest: (ChangePosition & { readonly timeline: number }) | null = null
  /** By key, what it was given of rows; null: the row is gone. */
  readonly #rows = new Map<number, Row | null>()
  #isCleared = false
  /** Of the entries of its model: of what these write, it has the latest. */
  #from = 0
  #failure: unknown = null
  received = 0
  resyncs = 0

  constructor(parts: ConflatingParts) {
    this.#parts = parts
  }

  get isComplete(): boolean {
    return this.#subscription !== null && this.#difference() === null
  }

  get description(): string {
    const { name, model } = this.#parts
    return `${name} (${model}): ${this.#difference()}; ${this.#subscription === null ? 'not subscribed' : 'subscribed'}; ${String(this.#failure)}`
  }

  /** A standby has taken over: what it had not received is no longer committed. */
  onFailover(branch: Branch): void {
    this.#from = Math.min(this.#from, sharedOf(branch, this.#parts.model))
  }

  /** Subscribes where it is not, and takes a little of what is there. @throws Violation */
  step(reader: Reader | null): void {
    if (this.#reader !== reader) this.drop()
    if (reader === null || reader.isPaused) return
    this.#reader = reader
    if (this.#subscription === null) this.#subscribe(reader)
    const { pull } = this.#subscription ?? {}
    for (let count = this.#parts.random.integer(0, 2); pull != null && count > 0; count -= 1) {
      const delivery = pull.take()
      if (delivery === undefined) {
        if (pull.isEnded) this.#end()
        return
      }
      this.#receive(delivery.change)
    }
  }

  /** The socket is lost: it comes back with its cursor. */
  drop(): void {
    void this.#subscription?.return()
    this.#subscription = null
    this.#reader = null
  }

  #subscribe(reader: Reader): void {
    if (!reader.isAccepting) return
    const { model, site } = this.#parts
    if (this.#failure === null) this.#parts.log(`${this.#parts.name} subscribes ${this.#cursor ?? 'now'}`)
    if (this.#cursor === null) this.#from = site.database.entriesOf(model).length
    try {
      this.#subscription = reader.subscribe(model, this.#cursor, {
        ...{ actions: [], overflow: 'conflate' },
      })
    } catch (error) {
      this.#fail(error)
    }
  }

  #receive(change: AnyChange): void {
    const { name, model, site } = this.#parts
    const { action, transaction, cursor, new: row, old } = change
    const said = `${name} got ${action} ${JSON.stringify(row ?? old)} of ${transaction.commitLsn}`
    const position = { commitLsn: transaction.commitLsn, index: change.index }
    const { timeline } = transaction.origin
    const isKnown = site.servers.some(({ database }) => findEntry(database.entriesOf(model), 0, change) >= 0)
    if (!isKnown) throw new Violation(`${said}, which was never committed.`)
    const isOfSame = this.#newest?.timeline === timeline
    if (isOfSame && this.#newest !== null && comparePositions(position, this.#newest) <= 0)
      throw new Violation(`${said}, which is not behind what it got before. Twice.`)
    this.#newest = { ...position, timeline }
    this.#cursor = cursor
    this.#failure = null
    this.received += 1
    if (action === 'TRUNCATE') {
      this.#rows.clear()
      this.#isCleared = true
    } else this.#rows.set(Number((row ?? old)?.['id']), row as Row | null)
  }

  /** Between what it has of rows and what there is. */
  #difference(): string | null {
    const { site, model } = this.#parts
    const { database } = site
    const there = new Map(database.rowsAt(model, NEWEST).map((row) => [Number(row['id']), row]))
    const oid = database.tables.get(model)?.oid
    const written = database
      .entriesOf(model)
      .slice(this.#from)
      .flatMap((entry) => (entry.oid === oid ? Number((entry.new ?? entry.old)?.['id'] ?? 0) : []))
      .filter((id) => id !== 0)
    const concerned = new Set([...written, ...this.#rows.keys(), ...(this.#isCleared ? there.keys() : [])])
    for (const id of concerned) {
      const [has, wanted] = [this.#rows.get(id), there.get(id) ?? null]
      const isSame = has === undefined ? this.#isCleared && wanted === null : textOf(has) === textOf(wanted)
      if (!isSame) return `of row ${id} it has ${textOf(has)} and not ${textOf(wanted)}`
    }
    return null
  }

  #end(): void {
    const subscription = this.#subscription
    this.#subscription = null
    subscription?.next().then(
      () => {},
      (error: unknown) => this.#fail(error),
    )
  }

  #fail(error: unknown): void {
    const isNews = String(this.#failure) !== String(error)
    this.#failure = error
    if (isNews) this.#parts.log(`${this.#parts.name} ends: ${String(error)}`)
    if (!isRowcastError(error, 'RESYNC_REQUIRED')) return
    this.resyncs += 1
    this.#cursor = null
    this.#newest = null
    this.#rows.clear()
    this.#isCleared = false
  }
}

function textOf(row: Row | null | undefined): string {
  return row == null ? String(row) : `${row['id']}:${row['n']}:${row['name']}`
}
