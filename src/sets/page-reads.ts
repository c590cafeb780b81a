/**
 * Beside the spine, sets. The pages that are read: the connections are the application's, so few at once; and whoever asks for the same
 * page gets it from one read.
 */
import { RowcastError } from '../errors.ts'
import type { FencedRows } from './fence.ts'
import { KeptPages, type KeptPagesBounds } from './kept-pages.ts'

/** A page that a subscription waits for. */
export interface PageRequest<Page> {
  /** Equal for pages that are the same; null for one that no other is the same as, as far as is known. */
  readonly key: string | null
  /** `PageReads.begun` once the subscription had its cursor: a snapshot from before may lack what stands before the cursor. */
  readonly since: number
  /** Whose turn it takes, where others wait too: each gets one read after the other, however many one of them asks for. @default the process's own */
  readonly owner?: object | null | undefined
  /** The subscription has ended: nobody waits any more. */
  readonly signal: AbortSignal
  readonly read: () => Promise<Page>
}

/** Bounds of what one process reads. */
export interface PageReadBounds<Page = FencedRows> {
  /** Pages that are read at once. @default 2 */
  readonly lanes?: number | undefined
  /** Subscriptions that wait for a page. @default 10_000 */
  readonly waitersMax?: number | undefined
  /** A page is not begun any more after so long. @default 30_000 // ms */
  readonly waitMaxMs?: number | undefined
  readonly now?: (() => number) | undefined
  /** Pages that are kept for whoever asks a moment later. @default none */
  readonly kept?: KeptPagesBounds<Page> | undefined
}

type NumericBound = 'lanes' | 'waitersMax' | 'waitMaxMs'

interface Waiter<Page> {
  resolve(page: Page): void
  reject(error: unknown): void
}

/** One read, from when it is asked for until it is over. */
interface PageRead<Page> extends Pick<PageRequest<Page>, 'key' | 'read'> {
  /** Who waits least for his turn, of all who ask for it. */
  owner: object
  /** Of the reads that began, the how manieth; 0 before it begins. */
  number: number
  readonly enqueuedAtMs: number
  readonly waiters: Set<Waiter<Page>>
}

/** The reads of one process. Rows are the same objects for all who wait for them: whoever changes one copies it first. */
export class PageReads<Page = FencedRows> {
  readonly #bounds: Readonly<Record<NumericBound, number>> & { readonly now: () => number }
  readonly #kept: KeptPages<Page> | null
  /** Of each owner, in the order in which they asked; whose turn comes first stands first. */
  readonly #queue = new Map<object, Set<PageRead<Page>>>()
  /** Those that have not begun, and the last that did, by key. */
  readonly #queued = new Map<string, PageRead<Page>>()
  readonly #running = new Map<string, PageRead<Page>>()
  #begun = 0
  #lanes = 0
  #waiters = 0

  constructor({
    lanes = 2,
    waitersMax = 10_000,
    waitMaxMs = 30_000,
    now = () => performance.now(),
    kept,
  }: PageReadBounds<Page> = {}) {
    this.#bounds = { lanes, waitersMax, waitMaxMs, now }
    this.#kept = kept === undefined ? null : new KeptPages(kept, now)
  }

  /** Reads that have begun so far: one with a higher number begins after this. */
  get begun(): number {
    return this.#begun
  }

  /**
   * The page. Rejects with the signal's reason once that has aborted.
   * @throws FIRST_ROWS_FAILED where too many wait, or it has waited for too long; and what the read throws
   */
  run({ key, since, signal, read, owner }: PageRequest<Page>): Promise<Page> {
    if (signal.aborted) return Promise.reject(signal.reason)
    const kept = key === null ? undefined : this.#kept?.find(key, since)
    if (kept !== undefined) return Promise.resolve(kept)
    if (this.#waiters >= this.#bounds.waitersMax)
      return Promise.reject(failed('Too many subscriptions wait for their first rows.'))
    const running = key === null ? undefined : this.#running.get(key)
    const by = owner ?? this
    const joined = running !== undefined && running.number > since ? running : this.#queuedWith(key, by)
    const page = joined ?? this.#enqueue(key, read, by)
    const result = this.#wait(page, signal)
    this.#begin()
    return result
  }

  /** One that waits. Behind many of one owner nobody else waits for it. */
  #queuedWith(key: string | null, owner: object): PageRead<Page> | undefined {
    const page = key === null ? undefined : this.#queued.get(key)
    if (page === undefined || page.owner === owner) return page
    if ((this.#queue.get(owner)?.size ?? 0) >= (this.#queue.get(page.owner)?.size ?? 0)) return page
    this.#takeOut(page)
    page.owner = owner
    this.#line(page)
    return page
  }

  #enqueue(key: string | null, read: PageRequest<Page>['read'], owner: object): PageRead<Page> {
    const page: PageRead<Page> = {
      ...{ key, read, owner, number: 0, enqueuedAtMs: this.#bounds.now() },
      waiters: new Set<Waiter<Page>>(),
    }
    this.#line(page)
    if (key !== null) this.#queued.set(key, page)
    return page
  }

  #line(page: PageRead<Page>): void {
    const pages = this.#queue.get(page.owner)
    if (pages === undefined) this.#queue.set(page.owner, new Set([page]))
    else pages.add(page)
  }

  #takeOut(page: PageRead<Page>): void {
    const pages = this.#queue.get(page.owner)
    pages?.delete(page)
    if (pages?.size === 0) this.#queue.delete(page.owner)
  }

  #dequeue(page: PageRead<Page>): void {
    this.#takeOut(page)
    if (page.key !== null) this.#queued.delete(page.key)
  }

  /** The first of whose turn it is, who has his next turn after all others. */
  #next(): PageRead<Page> | undefined {
    const [first] = this.#queue
    if (first === undefined) return undefined
    const [owner, pages] = first
    const [page] = pages
    this.#queue.delete(owner)
    this.#queue.set(owner, pages)
    return page
  }

  #wait(page: PageRead<Page>, signal: AbortSignal): Promise<Page> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        leave()
        if (page.number === 0 && page.waiters.size === 0) this.#dequeue(page)
        reject(signal.reason)
      }
      const leave = () => {
        signal.removeEventListener('abort', onAbort)
        page.waiters.delete(waiter)
        this.#waiters -= 1
      }
      const waiter: Waiter<Page> = {
        resolve(rows) {
          leave()
          resolve(rows)
        },
        reject(error) {
          leave()
          reject(error)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      page.waiters.add(waiter)
      this.#waiters += 1
    })
  }

  /** Begins what has a lane. */
  #begin(): void {
    while (this.#lanes < this.#bounds.lanes) {
      const page = this.#next()
      if (page === undefined) return
      this.#dequeue(page)
      if (this.#bounds.now() - page.enqueuedAtMs <= this.#bounds.waitMaxMs) void this.#read(page)
      else for (const waiter of [...page.waiters]) waiter.reject(failed('Its turn to be read came too late.'))
    }
  }

  async #read(page: PageRead<Page>): Promise<void> {
    const { key, read, waiters } = page
    this.#lanes += 1
    this.#begun += 1
    page.number = this.#begun
    if (key !== null) this.#running.set(key, page)
    try {
      const rows = await read()
      if (key !== null) this.#kept?.keep(key, page.number, rows)
      for (const waiter of [...waiters]) waiter.resolve(rows)
    } catch (error) {
      for (const waiter of [...waiters]) waiter.reject(error)
    }
    this.#lanes -= 1
    if (key !== null && this.#running.get(key) === page) this.#running.delete(key)
    this.#begin()
  }
}

function failed(happened: string): RowcastError {
  return new RowcastError('FIRST_ROWS_FAILED', happened)
}
