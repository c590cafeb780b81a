/**
 * A client that folds what comes into what it has: a set of rows, a list, a ledger. At every boundary between two transactions that it
 * reaches, it has what the ledger of the database says; near a gap, and across a failover, at last; or, where the world is strict, it ends.
 */
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Random } from '../chaos/random.ts'
import { Violation } from './client.ts'
import type { Database } from './database.ts'
import type { Reader } from './reader.ts'
import type { ReaderFace } from './reader-face.ts'
import type { Site } from './site.ts'
import { runOn } from './virtual-time.ts'

/** What it works with. */
export interface FoldingParts {
  readonly name: string
  /** What it asks for, for the timeline. */
  readonly title: string
  /** How long it takes over an event at most. */
  readonly paceMs: number
  readonly site: Site
  readonly catalog: ModelCatalog
  readonly random: Random
  /** Whether its subscription has to end where it has had something else near a gap, or across a failover. */
  readonly isStrict: boolean
  readonly log: (text: string) => void
}

/** How it makes itself heard. */
type Followed<Event> = AsyncIterableIterator<Event>

/** What was not published is noticed at a look, and who watches again may be long in coming: until then sets need not be right. */
export const NOTICE_MS = 120_000

/** Behind everything. */
export const NEWEST = 2n ** 64n

/** One of them. */
export abstract class FoldingClient<Event> {
  protected readonly parts: FoldingParts
  /** Where it goes on; null: from the beginning. */
  protected cursor: string | null = null
  /** It has something that it can be compared by. */
  protected isReady = false
  #reader: Reader | null = null
  /** What it is connected by. */
  #connection: { subscription: Followed<Event> | null } | null = null
  #begunAtMs = 0
  #failure: unknown = null
  #violation: Violation | null = null
  /** What it had instead of what there was, near a gap or across a failover: its subscription has to end for it. */
  #owed: string | null = null
  received = 0
  resyncs = 0

  constructor(parts: FoldingParts) {
    this.parts = parts
  }

  /** Subscribes, after the cursor if there is one. What it had to wait for may come when it is connected with another process. */
  protected abstract open(
    face: ReaderFace,
    isCurrent: () => boolean,
  ): Followed<Event> | Promise<Followed<Event>>
  /** Folds it, and checks what it has. @throws Violation */
  protected abstract receive(event: Event): void
  /** Between what it has and what there is behind a position: null where it is the same. */
  protected abstract differenceAt(database: Database, lsn: bigint): string | null
  /** It has nothing any more. */
  protected abstract forget(): void

  get isComplete(): boolean {
    return (
      this.#connection !== null &&
      this.isReady &&
      this.#owed === null &&
      this.differenceAt(this.parts.site.database, NEWEST) === null
    )
  }

  get description(): string {
    const { name, title, site } = this.parts
    if (this.#owed !== null) return `${this.#owed}: and its subscription has not ended`
    const said = this.isReady ? this.differenceAt(site.database, NEWEST) : 'it has nothing whole yet'
    return `${name} (${title}): ${said}; ${this.#connection === null ? 'not subscribed' : 'subscribed'}; ${String(this.#failure)}`
  }

  /** Subscribes where it is not. @throws Violation */
  step(reader: Reader | null): void {
    if (this.#violation !== null) throw this.#violation
    if (this.#reader !== reader) this.drop()
    if (reader === null || reader.isPaused) return
    this.#reader = reader
    if (this.#connection === null && reader.isAccepting) this.#subscribe(reader)
  }

  /** The socket is lost: it comes back with its cursor. */
  drop(): void {
    void this.#connection?.subscription?.return?.()
    this.#connection = null
    this.#reader = null
    if (!this.isReady || this.cursor === null) this.#restart()
  }

  #subscribe(reader: Reader): void {
    const { name, title, log } = this.parts
    if (this.#failure === null) log(`${name} subscribes ${this.cursor ?? `to ${title}`}`)
    if (this.cursor === null) this.#begunAtMs = performance.now()
    const connection = { subscription: null }
    this.#connection = connection
    void runOn(reader.machine, () => this.#follow(reader, connection))
  }

  async #follow({ face }: Reader, connection: { subscription: Followed<Event> | null }): Promise<void> {
    const { paceMs, random } = this.parts
    try {
      if (face === null) throw new Error('The world has no sets of rows.')
      const subscription = await this.open(face, () => this.#connection === connection)
      connection.subscription = subscription
      if (this.#connection !== connection) void subscription.return?.()
      for await (const event of subscription) {
        if (this.#connection !== connection) return
        this.received += 1
        this.#failure = null
        this.receive(event)
        if (paceMs > 0) await new Promise((resolve) => setTimeout(resolve, random.integer(0, paceMs)))
      }
      if (this.#connection === connection) this.#connection = null
    } catch (error) {
      if (error instanceof Violation) this.#violation = error
      else if (this.#connection === connection) this.#fail(error)
    }
  }

  /** What it has has to be what there is behind the position, on the timeline of the cursor. @throws Violation */
  protected check(cursor: string, lsn = parseCursor(cursor).position.commitLsn as bigint): void {
    const { site, name, title, catalog } = this.parts
    const current = site.database
    const { timeline } = parseCursor(cursor).origin
    const { database = current } = site.servers.find((server) => server.database.timeline === timeline) ?? {}
    const difference = this.differenceAt(database, lsn)
    if (difference === null) return
    const said = `${name} (${title}) at ${lsn.toString(16)}: ${difference}`
    // Rows are read on the server that the address leads to, and behind what was not published the stream says nothing of where it is:
    // they may be newer than the position. Then what it has at last counts.
    const sinceMs = this.#begunAtMs - NOTICE_MS
    const isNearGap = Object.keys(catalog.models).some((model) => current.hasGap(model, sinceMs))
    if (database === current && !isNearGap) throw new Violation(`${said}. Not what there is.`)
    if (this.parts.isStrict)
      this.#owed = `${said}, ${database === current ? 'near a gap' : 'across a failover'}`
  }

  #fail(error: unknown): void {
    this.#connection = null
    const isNews = String(this.#failure) !== String(error)
    this.#failure = error
    if (isNews) this.parts.log(`${this.parts.name} ends: ${String(error)}${causesOf(error)}`)
    const isResync = isRowcastError(error, 'RESYNC_REQUIRED')
    if (isResync) this.resyncs += 1
    if (isResync || !this.isReady || this.cursor === null) this.#restart()
  }

  #restart(): void {
    this.forget()
    this.#owed = null
    this.cursor = null
    this.isReady = false
  }
}

/** What is behind an error, which says nothing of it to clients. */
function causesOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  return cause === undefined ? '' : `, because of ${String(cause)}${causesOf(cause)}`
}
