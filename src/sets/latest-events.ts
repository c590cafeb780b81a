/**
 * Sets, between stages 6 and 7. What waits for a subscription that conflates: of each row the latest event alone, where that one stood. A row
 * that the subscriber has under a key that it has no more goes nevertheless. A row hears of all that its related rows have gone through since
 * it was given last. What is given is judged once more: rights may have gone since.
 */
import type { AnyRow } from '../changes/change.ts'
import { endCursorBefore } from '../changes/cursor.ts'
import { keyBefore } from '../changes/key-before.ts'
import type { Via } from './included-relation.ts'
import { heardAfter, heardTogether, NOTHING_HEARD } from './related-changes.ts'
import { cursorOf, type MovedEvent, type TransactionEvent } from './related-event.ts'

/** An event, and whether it is the last of its transaction. */
export type WaitingEvent = TransactionEvent & { readonly isLast: boolean }

/** What the rights of now let through. */
export interface SightOfNow {
  readonly isSeen: (row: AnyRow) => boolean
  readonly isHeard: (via: Via) => boolean
}

/** How it is kept. */
export interface LatestEventsOptions {
  /** Equal for one row. */
  readonly idOf: (key: AnyRow) => string
  /** Whether rows come that no write brought; else writes alone do. */
  readonly asksForRows: boolean
  /** What it takes in memory while it waits, by estimate. */
  readonly weigh: (event: WaitingEvent) => number
  /** So many of them are not given. @default nobody counts them */
  readonly onDropped?: ((count: number) => void) | undefined
}

/** The latest event of a row. */
interface Latest {
  event: WaitingEvent
  /** Of the key that the event is about; null for a TRUNCATE. */
  id: string | null
  /** Whether the subscriber has no row with this key. */
  isNew: boolean
  /** The key under which the subscriber has the row until this event; null where it is the same, or there is none. */
  replaces: AnyRow | null
}

/** The same between its neighbours, in the order of their events. */
interface Slot extends Latest {
  readonly bytes: number
  before: Slot | null
  behind: Slot | null
}

/** What an event says of a row. */
interface Said {
  /** Null for a TRUNCATE. */
  readonly key: AnyRow | null
  readonly oldKey: AnyRow | null
  readonly isGone: boolean
  readonly isEntering: boolean
}

/** Those of one subscription. */
export class LatestEvents {
  readonly #options: LatestEventsOptions
  #first: Slot | null = null
  #last: Slot | null = null
  #size = 0
  #bytes = 0
  readonly #byId = new Map<string, Slot>()

  constructor(options: LatestEventsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#size
  }

  /** What they weigh together. */
  get bytes(): number {
    return this.#bytes
  }

  /** The one that is given next. */
  get first(): WaitingEvent | undefined {
    return this.#first?.event
  }

  /** @returns what it weighs; 0 where it falls away at once */
  add(event: WaitingEvent): number {
    const { key, oldKey, isGone, isEntering } = saidOf(event)
    if (key === null) {
      this.#noteDropped(this.#size)
      this.clear()
      return this.#push({ event, id: null, isNew: false, replaces: null })
    }
    const { idOf, asksForRows } = this.#options
    const id = idOf(key)
    const from = oldKey === null ? id : idOf(oldKey)
    const slot = this.#byId.get(from)
    // The slot may have another event by then.
    const before = slot && { event: slot.event, isNew: slot.isNew }
    const hasFrom = before === undefined ? !isEntering : !before.isNew
    this.#drop(from)
    if (isGone) {
      if (hasFrom || !asksForRows)
        return this.#push({ event: hearing(before?.event, event), id: from, isNew: false, replaces: null })
      // What came and went meanwhile was never there for whoever asks for rows.
      this.#passLast(event, this.#last)
      this.#noteDropped(1)
      return 0
    }
    // Another row may have had the key.
    const other = oldKey === null ? undefined : this.#byId.get(id)
    const isNew = oldKey === null ? !hasFrom : (other?.isNew ?? true)
    if (oldKey !== null) this.#drop(id)
    return this.#push({ event: hearing(before?.event, event), id, isNew, replaces: hasFrom ? oldKey : null })
  }

  /** The next one, as it may be given now; none where nothing of it may be. */
  shift(sight: SightOfNow): WaitingEvent | undefined {
    const slot = this.#first
    if (slot === null) return undefined
    slot.event = heardNow(slot.event, sight)
    const [event, shown] = seenNow(slot, sight, this.#options.asksForRows)
    // The other one is judged when it is given.
    if (shown !== undefined) Object.assign(slot, { event: shown, replaces: null })
    else this.#remove(slot)
    return event
  }

  clear(): void {
    this.#first = null
    this.#last = null
    this.#size = 0
    this.#bytes = 0
    this.#byId.clear()
  }

  #push(latest: Latest): number {
    const bytes = this.#options.weigh(latest.event)
    const slot: Slot = { ...latest, bytes, before: this.#last, behind: null }
    if (slot.id !== null) this.#byId.set(slot.id, slot)
    if (this.#last === null) this.#first = slot
    else this.#last.behind = slot
    this.#last = slot
    this.#size += 1
    this.#bytes += bytes
    return bytes
  }

  #remove(slot: Slot): void {
    const { id, before, behind, bytes } = slot
    if (id !== null && this.#byId.get(id) === slot) this.#byId.delete(id)
    if (before === null) this.#first = behind
    else before.behind = behind
    if (behind === null) this.#last = before
    else behind.before = before
    this.#size -= 1
    this.#bytes -= bytes
  }

  /** Nobody needs it any more; what it would have taken out of sight goes where it stood. */
  #drop(id: string): void {
    const slot = this.#byId.get(id)
    if (slot === undefined) return
    const { event, replaces } = slot
    this.#byId.delete(id)
    if (replaces === null || this.#options.asksForRows) this.#noteDropped(1)
    if (replaces === null) {
      this.#remove(slot)
      this.#passLast(event, slot.before)
      return
    }
    // Who asks for writes is not said otherwise that the key before is gone.
    if (!this.#options.asksForRows) return
    const replaced = this.#options.idOf(replaces)
    const removal = removalOf(event, replaces, 'RELATION')
    Object.assign(slot, { event: removal, id: replaced, isNew: false, replaces: null })
    if (!this.#byId.has(replaced)) this.#byId.set(replaced, slot)
  }

  #noteDropped(count: number): void {
    if (count > 0) this.#options.onDropped?.(count)
  }

  /** Where the last one of a transaction falls away, the one before it is the last that comes of that. */
  #passLast(event: WaitingEvent, before: Slot | null): void {
    if (!event.isLast || before === null || ordinalAt(before.event) !== ordinalAt(event)) return
    before.event = { ...before.event, isLast: true }
  }
}

/** With what the row has heard of before, and was not given: one that goes may come back before anybody knows that it went. */
function hearing(before: WaitingEvent | undefined, event: WaitingEvent): WaitingEvent {
  const { heard } = event
  if (before?.heard === undefined || heard === undefined) return event
  return before.heard.viaCount === 0 ? event : { ...event, heard: heardTogether(before.heard, heard) }
}

/** Without what it has heard of rows that may not be seen any more. A row that goes, though nobody wrote it, says of none. */
function heardNow(event: WaitingEvent, { isHeard }: SightOfNow): WaitingEvent {
  const { heard } = event
  if (heard === undefined) return event
  const isSilent = event.kind === 'moved' && event.transition === 'LEFT'
  return { ...event, heard: isSilent ? NOTHING_HEARD : heardAfter(heard, isHeard) }
}

function ordinalAt(event: WaitingEvent): bigint {
  return (event.kind === 'moved' ? event : event.change).transaction.commitLsn
}

/** Of what goes out of sight no key but the one that was in sight is said. */
function saidOf(event: TransactionEvent): Said {
  const { transition } = event.kind === 'moved' ? event : event.judgement
  const isEntering = transition === 'ENTERED'
  if (event.kind === 'moved')
    return { key: event.key, oldKey: null, isGone: transition === 'LEFT', isEntering }
  const { change, judgement } = event
  const { action } = change
  if (judgement.hidesNew) return { key: keyBefore(change), oldKey: null, isGone: true, isEntering: false }
  const oldKey = judgement.hidesOld ? null : (change.oldKey ?? null)
  if (action === 'DELETE' || (action === 'UPDATE' && transition === 'LEFT'))
    return { key: oldKey ?? change.key, oldKey: null, isGone: true, isEntering: false }
  return { key: change.key, oldKey, isGone: false, isEntering: isEntering || action === 'INSERT' }
}

/** Rows that may not be seen any more are not shown as they were before either. */
function seenNow(
  { event, replaces }: Latest,
  { isSeen }: SightOfNow,
  asksForRows: boolean,
): readonly WaitingEvent[] {
  if (event.kind === 'moved') return [event]
  const { change, judgement } = event
  const { key, isGone } = saidOf(event)
  const isHidden = (row: AnyRow | null, hides: boolean) => row !== null && !hides && !isSeen(row)
  const hidesOld = isHidden(change.old, judgement.hidesOld)
  const hidesNew = isHidden(change.new, judgement.hidesNew)
  if (!hidesOld && !hidesNew) return [event]
  if (isGone || hidesNew) {
    const known = isGone ? key : replaces
    return known === null || !asksForRows ? [] : [removalOf(event, known, 'ACCESS')]
  }
  const shown = { ...event, judgement: { ...judgement, hidesOld: true } }
  if (replaces === null || !asksForRows) return [shown]
  // Whoever goes on behind the first of them gets the other one still.
  const { origin, commitLsn } = change.transaction
  const cursor = endCursorBefore(origin, commitLsn)
  return [{ ...removalOf(event, replaces, 'ACCESS'), cursor, isLast: false }, shown]
}

/** The row with this key is none of those asked for any more. What goes has heard of nothing, where rows hear of others. */
function removalOf(
  event: WaitingEvent,
  key: AnyRow,
  cause: MovedEvent['cause'],
): MovedEvent & { readonly isLast: boolean } {
  const { transaction, index } = event.kind === 'moved' ? event : event.change
  const at = { cursor: cursorOf(event), transaction, index, isLast: event.isLast }
  const heard = event.heard && NOTHING_HEARD
  return { kind: 'moved', row: key, key, transition: 'LEFT', cause, heard, ...at }
}
