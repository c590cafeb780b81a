/** Beside the spine, sets. The changes that one thing depends on: of each model that it asks, in the order in which each of them comes. */
import type { BusSubscription, Delivery } from '../bus/bus.ts'
import { cannotGoOn, isLeftBehind } from '../bus/resync-required.ts'
import { isSameOrigin, parseCursor } from '../changes/cursor.ts'
import type { StreamOrigin } from '../changes/stream-position.ts'
import type { Lsn } from '../wire/lsn.ts'

/** Several subscriptions, taken from one after the other. */
export class ChangesOfModels {
  readonly #subscribe: (after: string) => readonly BusSubscription[]
  #changes: readonly BusSubscription[] = []
  /** Of the cursor that it was opened at first. */
  #origin: StreamOrigin | null = null

  constructor(subscribe: (after: string) => readonly BusSubscription[]) {
    this.#subscribe = subscribe
  }

  get isOpen(): boolean {
    return this.#changes.length > 0
  }

  /** @throws RESYNC_REQUIRED where another server has taken over since it was opened before */
  open(after: string): void {
    this.#check(parseCursor(after).origin)
    this.#changes = this.#subscribe(after)
  }

  /** It may be opened again. */
  close(): void {
    const changes = this.#changes
    this.#changes = []
    for (const each of changes) void each.return()
  }

  /** All that is there by now. @throws RESYNC_REQUIRED at a change of another server */
  *taken(): Iterable<Delivery> {
    for (const { pull } of this.#changes)
      for (let delivery = pull?.take(); delivery !== undefined; delivery = pull?.take()) {
        this.#check(delivery.change.transaction.origin)
        yield delivery
      }
  }

  /** The bookmark of the first of them, where each has come to the position; else null. @throws RESYNC_REQUIRED where it is another server's */
  bookmarkUpTo(commitLsn: Lsn): string | null {
    const bookmarks = this.#changes.map(({ pull }) => pull?.bookmark?.() ?? null)
    const hasCome = (each: string | null) =>
      each !== null && parseCursor(each).position.commitLsn >= commitLsn
    const [first = null] = bookmarks
    if (first === null || !bookmarks.every(hasCome)) return null
    this.#check(parseCursor(first).origin)
    return first
  }

  /** Called once something can be taken. */
  onReadable(call: () => void): void {
    for (const { pull } of this.#changes) if (pull !== undefined) pull.reader = { onReadable: call }
  }

  /** Asked in the turn in which all was taken: what comes later is said to whoever waits to read. */
  get hasEnded(): boolean {
    return this.#changes.some(({ pull }) => pull?.isEnded === true)
  }

  /** `left behind` where changes came faster than they were taken. @throws how it ended otherwise */
  async end(): Promise<'left behind' | 'over'> {
    const ended = this.#changes.find(({ pull }) => pull?.isEnded === true)
    try {
      await ended?.next()
      return 'over'
    } catch (error) {
      if (!isLeftBehind(error)) throw error
      return 'left behind'
    }
  }

  /** The rows of one server and the changes of another do not fit. */
  #check(origin: StreamOrigin): void {
    this.#origin ??= origin
    if (!isSameOrigin(origin, this.#origin)) throw cannotGoOn('another server has taken over')
  }
}
