/**
 * Beside the spine, sets. A subscription that begins with the rows there are. It is opened at a cursor before which everything is visible to
 * whoever reads from then on; the rows are read in pages, each at a fence; what has come meanwhile and is in none of the snapshots
 * is added to them until the stream has passed all of the fences. From there on the rows are those of a position of the stream, and
 * every change behind it is delivered as to any other subscription.
 */

import { DONE, SerialIteration } from '../async-iteration.ts'
import type { BusSubscription, Delivery } from '../bus/bus.ts'
import type { Account } from '../bus/holdings.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { AnyRow } from '../changes/change.ts'
import {
  type Cursor,
  endCursorBefore,
  isSameOrigin,
  parseCursor,
  partialCursorOf,
} from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import { onAborted } from '../wire/shared-listener.ts'
import { beforeReady } from './before-ready.ts'
import type { FencedRows } from './fence.ts'
import type { HeldPages, PageHolder } from './held-pages.ts'
import type { PageSizes } from './page-sizes.ts'
import { type CompareKeys, ReadRanges } from './read-ranges.ts'
import { type RowRead, readsOf } from './row-read.ts'
import { mapped, type Upcoming } from './upcoming.ts'

/** All first rows have come: the subscription goes on after the cursor. */
export interface RowsReady {
  readonly kind: 'ready'
  readonly cursor: string
}

/** What comes: rows, one `ready`, changes. */
export type FirstRowsEvent =
  | (RowRead & { readonly cursor: string })
  | RowsReady
  | { readonly kind: 'change'; readonly delivery: Delivery }

export interface FirstRowsParts {
  /** See `Rowcast.changeCursor`. */
  readonly changeCursor: () => Promise<string>
  /** A subscription to all changes of the rows that are asked for, after the cursor. */
  readonly subscribe: (after: string) => BusSubscription
  /** The next rows in the order of the key, behind the one with this key, at most so many. Nobody waits once the signal has aborted. */
  readonly readPage: (behind: AnyRow | null, take: number, signal: AbortSignal) => Promise<FencedRows>
  readonly keyOf: (row: AnyRow) => AnyRow
  /** Null where pages cannot follow each other: the first one has to be all. */
  readonly compareKeys: CompareKeys | null
  readonly sizes: PageSizes
  /** Where what has been read and not been taken is counted. */
  readonly held: HeldPages
  /** Of the client, where there is one. */
  readonly account?: Account | undefined
  /** Resolves so much later. */
  readonly wait: (ms: number) => Promise<void>
  readonly signal?: AbortSignal | undefined
}

type Phase = 'opening' | 'reading' | 'catching up' | 'live' | 'ended'

/** How often it is looked whether the stream has passed the fences, where nothing comes. */
const LOOK_INTERVAL_MS = 10
/** Where the client leaves too much waiting, its next page is not read before it has taken some, or after so many looks. */
const ROOM_INTERVAL_MS = 100
const ROOM_LOOKS_MAX = 300
const NOTHING: Upcoming<FirstRowsEvent> = []

/** One subscription. */
export class FirstRows extends SerialIteration<FirstRowsEvent> implements PageHolder {
  readonly #parts: FirstRowsParts
  readonly #ranges: ReadRanges
  #phase: Phase = 'opening'
  #changes: BusSubscription | null = null
  #begun: Cursor | null = null
  #partialCursor = ''
  /** Where the next page begins. */
  #behind: AnyRow | null = null
  /** What has been read and not been taken, from `#at` on. */
  #events: Upcoming<FirstRowsEvent> = NOTHING
  #at = 0
  /** Why it was ended from outside, until that has been reported. */
  #failure: RowcastError | null = null
  /** Lets go of whoever waits for what is being read. */
  #letGo: (() => void) | null = null
  readonly #ending = new AbortController()
  #forgetSignal = (): void => {}

  constructor(parts: FirstRowsParts) {
    super()
    this.#parts = parts
    this.#ranges = new ReadRanges(parts.compareKeys ?? (() => 0))
  }

  /** What is there without waiting. Nobody may be waiting for `next()`. */
  take(): FirstRowsEvent | undefined {
    return this.#phase === 'ended' ? undefined : this.#shift()
  }

  get account(): Account | undefined {
    return this.#parts.account
  }

  /** What it has not taken cannot be kept for it. */
  end(error: RowcastError): void {
    this.#failure = error
    void this.return()
  }

  /** What follows, once nothing else comes before it. */
  get changes(): BusSubscription | null {
    return this.#phase === 'live' && this.#at >= this.#events.length ? this.#changes : null
  }

  async return(): Promise<IteratorResult<FirstRowsEvent>> {
    this.#phase = 'ended'
    this.#events = NOTHING
    this.#parts.held.letGo(this)
    this.#ending.abort()
    this.#forgetSignal()
    this.#letGo?.()
    await this.#changes?.return()
    return DONE
  }

  protected async following(): Promise<IteratorResult<FirstRowsEvent>> {
    try {
      for (;;) {
        if (this.#failure !== null) throw this.#reported(this.#failure)
        if (this.#parts.signal?.aborted === true) return await this.return()
        const event = this.#shift()
        if (event !== undefined) return { done: false, value: event }
        const step = this.#phase === 'live' ? await this.#step() : await this.#unlessEnded(this.#step())
        if (this.#failure !== null) throw this.#reported(this.#failure)
        if (step === null || this.#phase === 'ended') return DONE
        this.#events = step
        this.#at = 0
      }
    } catch (error) {
      const ended = this.#phase === 'live' ? error : beforeReady(error, this.#partialCursor)
      await this.return()
      throw ended
    }
  }

  /** What comes next; null where nothing does. */
  #step(): Promise<Upcoming<FirstRowsEvent> | null> {
    switch (this.#phase) {
      case 'opening':
        return this.#open()
      case 'reading':
        return this.#read()
      case 'catching up':
        return this.#catchUp()
      case 'live':
        return this.#nextChange()
      case 'ended':
        return Promise.resolve(null)
    }
  }

  /** Null as soon as it is ended from outside: a page, or a database that is away, may take its time. */
  #unlessEnded<Step>(step: Promise<Step>): Promise<Step | null> {
    return new Promise((resolve, reject) => {
      this.#letGo = () => resolve(null)
      step.then(resolve, reject)
    })
  }

  async #open(): Promise<readonly FirstRowsEvent[]> {
    const { signal } = this.#parts
    if (signal !== undefined) this.#forgetSignal = onAborted(signal, () => void this.return())
    const cursor = await this.#parts.changeCursor()
    this.#begun = parseCursor(cursor)
    this.#partialCursor = partialCursorOf(cursor)
    this.#changes = this.#parts.subscribe(cursor)
    if (this.#phase === 'ended') await this.#changes.return()
    else this.#phase = 'reading'
    return []
  }

  async #read(): Promise<Upcoming<FirstRowsEvent> | null> {
    const { compareKeys, keyOf, readPage, sizes, held } = this.#parts
    const pull = this.#changes?.pull
    if (pull?.isEnded === true) {
      while (pull.take() !== undefined);
      return this.#nextChange()
    }
    const isOnly = compareKeys === null
    const take = isOnly ? sizes.max + 1 : sizes.next
    await this.#roomForPage()
    const page = await readPage(this.#behind, take, this.#ending.signal)
    const { rows, fence, bytes, isCut = false } = page
    if (this.#phase === 'ended') return null
    if (isOnly && (isCut || rows.length === take)) throw tooMany()
    sizes.note(rows.length, bytes)
    const last = rows.length < take && !isCut ? undefined : rows.at(-1)
    this.#behind = last === undefined ? null : keyOf(last)
    this.#ranges.add(this.#behind, fence)
    if (last === undefined && this.#phase === 'reading') this.#phase = 'catching up'
    if (rows.length > 0) held.hold(this, page)
    // Made when it is taken: many may have the page.
    return mapped(rows, (row) =>
      this.#readEvent({ kind: 'read', transition: 'ENTERED', key: keyOf(row), row, writtenBy: null }),
    )
  }

  /** A client that leaves what it has where it is waits for itself. */
  async #roomForPage(): Promise<void> {
    for (let looks = 0; this.#parts.account?.isFull === true && this.#phase !== 'ended'; looks += 1) {
      if (looks === ROOM_LOOKS_MAX)
        throw new RowcastError(
          'FIRST_ROWS_FAILED',
          'This client leaves too much waiting for more rows to be read.',
        )
      await this.#parts.wait(ROOM_INTERVAL_MS)
    }
  }

  /** The next of what is there. */
  #shift(): FirstRowsEvent | undefined {
    const event = this.#events.at(this.#at)
    if (event === undefined) return undefined
    this.#at += 1
    if (this.#at < this.#events.length) this.#parts.held.move(this)
    else this.#parts.held.letGo(this)
    return event
  }

  #reported(error: RowcastError): RowcastError {
    this.#failure = null
    return error
  }

  /** What has come, as long as the stream is not behind all fences; then `ready`. */
  async #catchUp(): Promise<readonly FirstRowsEvent[] | null> {
    const pull = this.#changes?.pull
    const { endLsn } = this.#ranges
    if (pull === undefined || endLsn === null) throw new Error('Nothing has been read.')
    for (;;) {
      const delivery = pull.take()
      if (delivery !== undefined) {
        const { origin, commitLsn } = delivery.change.transaction
        checkServer(this.#begun, origin)
        if (commitLsn < endLsn) return readsOf(delivery, this.#ranges).map((read) => this.#readEvent(read))
        const before = endCursorBefore(origin, commitLsn)
        return [this.#ready(before), { kind: 'change', delivery }]
      }
      if (pull.isEnded) return this.#nextChange()
      const bookmark = pull.bookmark?.() ?? null
      if (bookmark !== null && parseCursor(bookmark).position.commitLsn >= endLsn - 1n)
        return [this.#ready(bookmark)]
      await this.#parts.wait(LOOK_INTERVAL_MS)
      if (this.#phase === 'ended' || this.#parts.signal?.aborted === true) return null
    }
  }

  async #nextChange(): Promise<readonly FirstRowsEvent[] | null> {
    const result = await this.#changes?.next()
    return result === undefined || result.done === true ? null : [{ kind: 'change', delivery: result.value }]
  }

  #ready(cursor: string): RowsReady {
    checkServer(this.#begun, parseCursor(cursor).origin)
    if (this.#phase !== 'ended') this.#phase = 'live'
    return { kind: 'ready', cursor }
  }

  #readEvent(read: RowRead): FirstRowsEvent {
    return { ...read, cursor: this.#partialCursor }
  }
}

function tooMany(): RowcastError {
  return new RowcastError('FIRST_ROWS_REFUSED', 'There are more first rows than one page may have.', {
    hint: 'Ask for fewer with `where`: the rows of a model whose key is text are read in one page.',
  })
}

/** The rows of one server and the changes of another do not fit: what it has taken over may be less. */
function checkServer(begun: Cursor | null, origin: Cursor['origin']): void {
  if (begun === null || !isSameOrigin(origin, begun.origin))
    throw cannotGoOn('another server has taken over while the first rows were read')
}
