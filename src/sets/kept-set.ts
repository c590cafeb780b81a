/**
 * Beside the spine, sets. What many subscriptions ask for alike, kept once: the first rows of a list, or totals. It is read at a fence, and what
 * the stream brings then is applied to it; where that cannot be done here, it is read again. It is shown only as it was between two
 * transactions: what is read counts from where the stream has passed everything that its snapshot sees.
 */
import type { Delivery } from '../bus/bus.ts'
import { endCursorBefore, parseCursor } from '../changes/cursor.ts'
import { toLsn } from '../wire/lsn.ts'
import { ChangesOfModels, isOfRows, type TakenChange, whenRelatedVisible } from './changes-of-models.ts'
import { FencedRead } from './fenced-read.ts'
import { KeptAudience } from './kept-audience.ts'
import type { KeptSetParts, KeptState } from './kept-parts.ts'
import { KeptShowing } from './kept-showing.ts'
import { KeptSubscription } from './kept-subscription.ts'
import { Lateness } from './lateness.ts'
import type { StepEffect } from './ordered-window.ts'
import { ReachedChanges } from './reached-changes.ts'
import { type SetStep, stepOf } from './set-step.ts'
import { cursorBehind } from './visible-cursor.ts'

/** How often it is looked whether the stream has passed the fence, where nothing comes. */
const LOOK_INTERVAL_MS = 10
const UNKNOWN = { transaction: null, latest: [] } as const

/** One of them. It begins with its first subscription, and ends with its last. */
export class KeptSet<Loaded, Shown, Event> {
  readonly #parts: KeptSetParts<Loaded, Shown, Event>
  readonly #audience: KeptAudience<Shown, Event>
  readonly #ending = new AbortController()
  readonly #lateness: Lateness
  readonly #changes: ChangesOfModels
  readonly #read = new FencedRead<KeptState<Shown>>((cursor) => this.#stateAt(cursor))
  #isChanged = false
  readonly #showing: KeptShowing<Shown>
  /** The boundary that the view is at, where it is at one. */
  #boundary: string | null = null
  readonly #reached = new ReachedChanges()
  #wake: () => void = () => {}

  constructor(parts: KeptSetParts<Loaded, Shown, Event>) {
    this.#parts = parts
    this.#audience = new KeptAudience(parts)
    this.#showing = new KeptShowing(parts, (cursor) => this.#stateAt(cursor))
    this.#changes = new ChangesOfModels(parts.subscribe)
    this.#lateness = new Lateness(parts)
  }

  /** Joins: what there is by then comes first, however long others wait for it, then what changes of it. */
  subscribe(): KeptSubscription<Event> {
    const subscription: KeptSubscription<Event> = new KeptSubscription<Event>({
      snapshot: () => this.#wholeFor(subscription),
      leave: () => this.#leave(subscription),
      untaken: this.#parts.untaken,
    })
    this.#audience.add(subscription)
    if (this.#audience.size === 1 && !this.#changes.isOpen) void this.#run()
    return subscription
  }

  get isEnded(): boolean {
    return this.#ending.signal.aborted
  }

  get subscribers(): number {
    return this.#audience.size
  }

  /** See `Lateness`. */
  get lateMs(): number {
    return this.#lateness.ms
  }

  /** Whoever comes later may not see what others are still to lose: where that is not known, he waits for it. */
  #wholeFor(subscription: KeptSubscription<Event>): Event | null {
    const whole = this.#audience.wholeFor(subscription, this.#current(), this.#showing.state)
    if (whole === null) this.#wake()
    return whole
  }

  /** It as it is behind all that came; null where only the database knows, or a transaction is at hand. */
  #current(): KeptState<Shown> | null {
    if (this.#boundary === null || this.#read.mustRead) return null
    return this.#isChanged ? this.#showing.latestAt(this.#boundary) : this.#showing.state
  }

  #stateAt(cursor: string): KeptState<Shown> {
    // Where all changes come, the last may have written only what nobody here may see.
    const { transaction, latest: transactions } = this.#parts.isAnonymous ? UNKNOWN : this.#reached
    const change = { cursor, transaction }
    return { shown: this.#parts.view.shown(), ...change, transactions, change }
  }

  #serve(current = this.#current()): void {
    if (this.#audience.isAwaiting) this.#audience.serve(current, this.#showing.state)
  }

  #leave(subscription: KeptSubscription<Event>): void {
    this.#audience.delete(subscription)
    if (this.#audience.size === 0) this.#end()
  }

  #end(): void {
    if (this.isEnded) return
    this.#ending.abort()
    this.#wake()
    this.#changes.close()
    this.#parts.onEnded()
  }

  async #run(): Promise<void> {
    let failure: { readonly error: unknown } | null = null
    try {
      while (!this.isEnded && (await this.#step()));
    } catch (error) {
      failure = { error }
    }
    this.#end()
    this.#audience.end(failure)
  }

  /** False where nothing comes any more. */
  async #step(): Promise<boolean> {
    const { turns, weigh, view } = this.#parts
    const turn = turns.wait()
    if (turn !== null) {
      await turn
      if (this.isEnded) return false
    }
    if (this.#isChanged) this.#show()
    if (this.#readDueInMs <= 0) {
      await this.#ask()
      return true
    }
    for (const taken of this.#changes.taken()) {
      if (taken.relations.length > 0) await whenRelatedVisible(this.#parts, taken)
      if (this.isEnded) return false
      this.#follow(taken)
      weigh(view.bytes)
      // What is asked of the database waits for nothing else.
      if (this.#readDueInMs <= 0 || turns.isOver) return true
    }
    this.#lateness.noteTaken()
    this.#settleAtBookmark()
    if (!this.#changes.hasEnded) await this.#rest()
    else if ((await this.#changes.end()) === 'over') return false
    else this.#readAgain()
    return true
  }

  /** Whoever waits for the whole does not wait for the patches of others. */
  get #readDueInMs(): number {
    if (!this.#read.mustRead) return Number.POSITIVE_INFINITY
    return this.#audience.isAwaiting ? this.#parts.budget.hurriedDueInMs : this.#parts.budget.dueInMs
  }

  /** Until something comes, or is due. */
  async #rest(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#changes.onReadable(resolve)
    })
    const patchDueInMs = this.#isChanged ? this.#showing.dueInMs(this.#boundary) : Number.POSITIVE_INFINITY
    const dueInMs = this.#read.fence === null ? Math.min(this.#readDueInMs, patchDueInMs) : LOOK_INTERVAL_MS
    if (dueInMs === Number.POSITIVE_INFINITY) await woken
    else await Promise.race([woken, this.#parts.wait(Math.max(1, dueInMs))])
    this.#lateness.noteTaken()
  }

  async #ask(): Promise<void> {
    const { read, counters, view } = this.#parts
    const cursor = await cursorBehind(this.#parts, this.#reached.position, this.#ending.signal)
    if (this.isEnded) return
    if (!this.#changes.isOpen) this.#changes.open(cursor)
    const { loaded, fence, tookMs, bytes } = await read(this.#ending.signal)
    this.#lateness.noteRead(tookMs)
    counters.reads += 1
    counters.readMs += tookMs
    this.#parts.budget.note(tookMs)
    if (this.isEnded) return
    this.#parts.weigh(bytes)
    view.reset(loaded, this.#reached.isFollowed)
    this.#reached.isFollowed = true
    this.#isChanged = true
    this.#boundary = null
    this.#read.begin(fence)
  }

  /** What it had no time for is in what is read now: it loses nothing, and who shows it hears of it a little later. */
  #readAgain(): void {
    this.#parts.budget.noteLost()
    this.#lateness.noteChange()
    this.#changes.close()
    this.#read.drop()
    this.#boundary = null
    this.#reached.leaveOff()
  }

  #follow(taken: TakenChange): void {
    const { view, isAskedAgain } = this.#parts
    const { delivery, relations, asked = [], isLast } = taken
    const { transaction } = delivery.change
    this.#read.dropIfUnsure(transaction)
    const { fence } = this.#read
    if (!isAskedAgain && fence !== null && transaction.commitLsn >= fence.endLsn)
      this.#settle(endCursorBefore(transaction.origin, transaction.commitLsn))
    const isOwn = isOfRows(taken)
    const isConcerned = view.isOutdated?.(delivery, asked) === true
    if (this.#read.fence === null && this.#isChanged && this.#boundary !== null)
      this.#showing.latestAt(this.#boundary)
    const isRead = this.#read.sees(transaction, isOwn || isConcerned)
    const isTouched = view.touch?.(delivery, relations) === true
    if (isTouched) this.#noteChange()
    // Where the database is asked nobody knows what would concern it: then all of it has to be in what is read.
    const isOutdated = isConcerned || (asked.length > 0 && this.#read.isBehind)
    if (isOwn || isTouched || isOutdated) this.#reached.note(delivery.change, !isOutdated || isConcerned)
    // What waits to be shown is of rows, about whose sight related ones do not decide.
    if (isOutdated && this.#read.fence === null) this.#showing.holdLatest()
    if (!isRead && (isOutdated || (isOwn && isAskedAgain))) this.#outdate()
    else if (!isRead && isOwn && !this.#read.isBehind) this.#apply(delivery)
    if (this.#read.fence !== null) return
    this.#boundary = isLast && !this.#read.mustRead ? delivery.change.cursor : null
    if (this.#isChanged) this.#show()
    this.#serve()
  }

  #noteChange(): void {
    this.#isChanged = true
    this.#lateness.noteChange()
  }

  #outdate(): void {
    this.#lateness.noteChange()
    this.#read.outdate()
  }

  #apply(delivery: Delivery): void {
    const step = stepOf(delivery)
    if (step === 'emptied') this.#parts.view.empty()
    const effect = step === 'emptied' ? 'changed' : step === 'unknown' ? step : this.#applied(step)
    if (effect === 'changed') this.#noteChange()
    if (effect === 'unknown') this.#outdate()
  }

  #applied(step: SetStep): StepEffect {
    const { view, isVerdictSame } = this.#parts
    if (isVerdictSame === undefined) return view.apply(step)
    return isVerdictSame(step) ? view.applyUnsure(step) : 'unknown'
  }

  /** The stream has passed the fence, though nothing of it was for us. */
  #settleAtBookmark(): void {
    const { fence } = this.#read
    if (fence === null) return
    const first = this.#changes.bookmarkUpTo(toLsn(fence.endLsn - 1n))
    if (first === null) return
    const { origin } = parseCursor(first)
    this.#settle(this.#parts.isAskedAgain ? endCursorBefore(origin, fence.endLsn) : first)
  }

  #settle(cursor: string): void {
    const { isRight, before } = this.#read.settle()
    this.#parts.budget.noteSettled(isRight)
    if (!isRight) return
    this.#boundary = before === null ? cursor : null
    this.#showing.hold(before)
    this.#show()
    this.#serve(before ?? undefined)
  }

  /** Shows it as it is at the boundary, if it is time to. */
  #show(): void {
    const before = this.#showing.state
    const state = this.#showing.next(this.#boundary)
    if (state === null) return
    // What is shown may have been held, and something be read by now.
    this.#isChanged = this.#read.fence !== null
    this.#showing.note(state)
    const lateMs = this.#lateness.noteShown(!this.#read.mustRead && this.#read.fence === null)
    if (before === null || !this.#audience.patch(before, state)) return
    this.#showing.notePatch()
    this.#parts.counters.patches += 1
    this.#parts.counters.shownLateMs += lateMs
  }
}
