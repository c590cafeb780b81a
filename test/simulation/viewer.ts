/**
 * A client that has a set of rows: it begins with those there are, folds what comes (a row that is there is put at its key, one that
 * left is taken out), and has what a search of the ledger finds, at every boundary between two transactions that it reaches.
 */

import { asksRelatedRows, createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { ChangeEvent, EventSubscription } from '../../src/sets/row-subscription.ts'
import type { Random } from '../chaos/random.ts'
import { Violation } from './client.ts'
import type { Database, Row } from './database.ts'
import type { Reader } from './reader.ts'
import { findRows } from './rows-where.ts'
import type { Site } from './site.ts'
import type { View } from './views.ts'
import { runOn } from './virtual-time.ts'

/** What it does. */
export interface ViewerSettings {
  readonly name: string
  readonly view: View
  /** How long it takes over an event at most. */
  readonly paceMs: number
}

/** What it works with. */
export interface ViewerParts {
  readonly catalog: ModelCatalog
  readonly random: Random
  readonly log: (text: string) => void
}

/** What was not published is noticed at a look, and who watches again may be long in coming: until then sets need not be right. */
const NOTICE_MS = 120_000

/** The viewer. */
export class Viewer {
  readonly #settings: ViewerSettings
  readonly #site: Site
  readonly #parts: ViewerParts
  readonly #model: ModelSpec
  readonly #rows = new Map<number, Row>()
  #reader: Reader | null = null
  #subscription: EventSubscription | null = null
  /** Where it goes on; null: from the beginning. */
  #cursor: string | null = null
  #isReady = false
  /** The transaction that it has had something of, and not all. */
  #within: bigint | null = null
  #begunAtMs = 0
  /** It has something else than it should, for a reason that has to end it. */
  #isOwed = false
  #failure: unknown = null
  #violation: Violation | null = null
  received = 0
  resyncs = 0

  constructor(settings: ViewerSettings, site: Site, parts: ViewerParts) {
    this.#settings = settings
    this.#site = site
    this.#parts = parts
    this.#model = parts.catalog.models[settings.view.model] as ModelSpec
  }

  get isComplete(): boolean {
    return (
      this.#subscription !== null &&
      this.#isReady &&
      !this.#isOwed &&
      this.#differenceAt(this.#site.database, NEWEST) === null
    )
  }

  get description(): string {
    const { name, view } = this.#settings
    const said = this.#isReady
      ? this.#differenceAt(this.#site.database, NEWEST)
      : 'first rows have not all come'
    return `${name} (${JSON.stringify(view)})${this.#isOwed ? ', which is owed an end' : ''}: ${said}; ${this.#subscription === null ? 'not subscribed' : 'subscribed'}; ${String(this.#failure)}`
  }

  /** Subscribes where it is not. @throws Violation */
  step(reader: Reader | null): void {
    if (this.#violation !== null) throw this.#violation
    if (this.#reader !== reader) this.#leave()
    if (reader === null || reader.isPaused) return
    this.#reader = reader
    if (this.#subscription === null && reader.isAccepting) this.#subscribe(reader)
  }

  /** The socket is lost: it comes back with its cursor. */
  drop(): void {
    this.#leave()
  }

  #leave(): void {
    void this.#subscription?.return()
    this.#subscription = null
    this.#reader = null
    if (!this.#isReady) this.#restart()
  }

  #subscribe(reader: Reader): void {
    const { name, view } = this.#settings
    if (this.#failure === null)
      this.#parts.log(`${name} subscribes ${this.#cursor ?? `to ${JSON.stringify(view)}`}`)
    if (this.#cursor === null) this.#begunAtMs = performance.now()
    try {
      const subscription = runOn(reader.machine, () => this.#open(reader))
      this.#subscription = subscription
      void runOn(reader.machine, () => this.#follow(subscription))
    } catch (error) {
      this.#fail(error)
    }
  }

  #open({ face }: Reader): EventSubscription {
    if (face === null) throw new Error('The world has no sets of rows.')
    const { catalog } = this.#parts
    const { where, rows } = this.#settings.view
    const parse = (given: object) => parseWhere(this.#model, catalog, given, { relations: {} })
    const filter = createChangeFilter({ where: parse(where), rows: rows === null ? null : parse(rows) })
    const after = this.#cursor
    const request = { model: this.#model.name, filter }
    if (after === null)
      return face.subscribeRows({
        ...request,
        refused: {},
        conditions: rows === null ? [where] : [where, rows],
      })
    return asksRelatedRows(filter)
      ? face.subscribeRelated({ ...request, filter, after })
      : face.subscribeDeliveries({ ...request, after })
  }

  async #follow(subscription: EventSubscription): Promise<void> {
    const { paceMs } = this.#settings
    try {
      for await (const event of subscription) {
        if (this.#subscription !== subscription) return
        this.#receive(event)
        if (paceMs > 0)
          await new Promise((resolve) => setTimeout(resolve, this.#parts.random.integer(0, paceMs)))
      }
      if (this.#subscription === subscription) this.#subscription = null
    } catch (error) {
      if (error instanceof Violation) this.#violation = error
      else if (this.#subscription === subscription) this.#fail(error)
    }
  }

  #receive(event: ChangeEvent): void {
    const { change, isLastOfTransaction } = event
    const { transaction, cursor } = change
    this.received += 1
    this.#failure = null
    if (this.#isReady && transaction !== null && transaction.commitLsn !== this.#within) {
      this.#check(cursor, transaction.commitLsn - 1n)
      this.#within = transaction.commitLsn
    }
    this.#fold(event)
    if (change.action === 'READY') {
      this.#isReady = true
      this.#within = null
    }
    if (!this.#isReady) return
    this.#cursor = cursor
    if (change.action !== 'READY' && !isLastOfTransaction) return
    this.#check(cursor, parseCursor(cursor).position.commitLsn)
  }

  #fold({ change, transition, hidesNew }: ChangeEvent): void {
    if (change.action === 'READY') return
    if (change.action === 'TRUNCATE') this.#rows.clear()
    const { key, new: row } = change
    if (row !== null && transition !== 'LEFT' && !hidesNew) this.#rows.set(Number(key?.['id']), row as Row)
    else if (key !== null) this.#rows.delete(Number(key['id']))
  }

  /** Once all up to the position has come. */
  #check(cursor: string, lsn: bigint): void {
    const { timeline } = parseCursor(cursor).epoch
    const current = this.#site.database
    const database = this.#site.servers.find((server) => server.database.timeline === timeline)?.database
    const difference = this.#differenceAt(database ?? current, lsn)
    if (difference === null || this.#isOwed) return
    const { name, view } = this.#settings
    const said = `${name} (${JSON.stringify(view)}) at ${lsn.toString(16)}: ${difference}`
    // Rows are read on the server that the address leads to.
    if (database === current) {
      const sinceMs = this.#begunAtMs - NOTICE_MS
      const models = Object.keys(this.#parts.catalog.models)
      if (!models.some((model) => current.hasGap(model, sinceMs)))
        throw new Violation(`${said}. Not its rows.`)
      // Behind what was not published the stream says nothing of where it is, and the rows are newer than it.
      const later = current.boundariesBehind(lsn)
      if (later.some((each) => this.#differenceAt(current, each) === null)) return
    }
    this.#parts.log(`${said}, and is owed the end of its subscription`)
    this.#isOwed = true
  }

  /** Null where it has what there is. */
  #differenceAt(database: Database, lsn: bigint): string | null {
    const { catalog } = this.#parts
    const { where, rows } = this.#settings.view
    const found = findRows({ catalog, rowsOf: (model) => database.rowsAt(model, lsn) }, this.#model.name, {
      where: { AND: rows === null ? [where] : [where, rows] },
    })
    const has = [...this.#rows.values()].sort((a, b) => Number(a['id']) - Number(b['id'])).map(textOf)
    const wants = found.map(textOf)
    return has.join() === wants.join() ? null : `has [${has.join(' ')}] and not [${wants.join(' ')}]`
  }

  #fail(error: unknown): void {
    this.#subscription = null
    const isNews = String(this.#failure) !== String(error)
    this.#failure = error
    if (isNews) this.#parts.log(`${this.#settings.name} ends: ${String(error)}${causesOf(error)}`)
    const isResync = isRowcastError(error, 'RESYNC_REQUIRED')
    if (isResync) this.resyncs += 1
    if (isResync || !this.#isReady) this.#restart()
  }

  #restart(): void {
    this.#rows.clear()
    this.#cursor = null
    this.#within = null
    this.#isReady = false
    this.#isOwed = false
  }
}

const NEWEST = 2n ** 64n

function textOf({ id, n, name }: Row): string {
  return `${id}:${n}:${name}`
}

/** What is behind an error, which says nothing of it to clients. */
function causesOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? '' : `, because of ${String(cause)}${causesOf(cause)}`
}
