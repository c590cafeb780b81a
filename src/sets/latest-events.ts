/**
 * Sets, between stages 6 and 7. What waits for a subscription that conflates: of each row the latest event alone, where that one stood. A row
 * that the subscriber has under a key that it has no more goes nevertheless. What is given is judged once more: rights may have gone since.
 */
import type { AnyRow } from '../changes/change.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import { keyBefore } from '../changes/key-before.ts'
import { toLsn } from '../wire/lsn.ts'
import { cursorOf, type MovedEvent, type TransactionEvent } from './related-event.ts'

/** An event, and whether it is the last of its transaction. */
export type WaitingEvent = TransactionEvent & { readonly isLast: boolean }

/** How it is kept. */
export interface LatestEventsOptions {
  /** Equal for one row. */
  readonly idOf: (key: AnyRow) => string
  /** Whether rows come that no write brought; else writes alone do. */
  readonly asksForRows: boolean
}

/** The latest event of a row. */
interface Slot {
  readonly event: WaitingEvent
  /** Of the key that the event is about; null for a TRUNCATE. */
  readonly id: string | null
  /** Whether the subscriber has no row with this key. */
  readonly isNew: boolean
  /** The key under which the subscriber has the row until this event; null where it is the same, or there is none. */
  readonly replaces: AnyRow | null
}

/** What an event says of a row. */
interface Said {
  /** Null for a TRUNCATE. */
  readonly key: AnyRow | null
  readonly oldKey: AnyRow | null
  readonly isGone: boolean
  readonly isEntering: boolean
}

const COMPACTED_FROM = 64

/** Those of one subscription. */
export class LatestEvents {
  readonly #options: LatestEventsOptions
  /** In the order of their events; null for what is not waited for any more. */
  #slots: (Slot | null)[] = []
  #at = 0
  #size = 0
  readonly #byId = new Map<string, number>()

  constructor(options: LatestEventsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#size
  }

  /** The one that is given next. */
  get first(): WaitingEvent | undefined {
    while (this.#at < this.#slots.length && this.#slots[this.#at] === null) this.#at += 1
    return this.#slots[this.#at]?.event
  }

  /** @returns those that it made unneeded */
  add(event: WaitingEvent): readonly WaitingEvent[] {
    const { key, oldKey, isGone, isEntering } = saidOf(event)
    if (key === null) {
      const dropped = this.clear()
      this.#push({ event, id: null, isNew: false, replaces: null })
      return dropped
    }
    const { idOf, asksForRows } = this.#options
    const id = idOf(key)
    const from = oldKey === null ? id : idOf(oldKey)
    const before = this.#slotOf(from)
    const hasFrom = before === undefined ? !isEntering : !before.isNew
    const dropped = [...this.#drop(from)]
    if (isGone) {
      // What came and went meanwhile was never there for whoever asks for rows.
      if (hasFrom || !asksForRows) this.#push({ event, id: from, isNew: false, replaces: null })
      else dropped.push(event)
      return dropped
    }
    // Another row may have had the key.
    const other = oldKey === null ? undefined : this.#slotOf(id)
    if (oldKey !== null) dropped.push(...this.#drop(id))
    const isNew = oldKey === null ? !hasFrom : (other?.isNew ?? true)
    this.#push({ event, id, isNew, replaces: hasFrom ? oldKey : null })
    return dropped
  }

  /**
   * The next one, as it may be given now; none where nothing of it may be.
   * @param isSeen whether the rights of now let a row through
   */
  shift(isSeen: (row: AnyRow) => boolean): readonly WaitingEvent[] {
    if (this.first === undefined) return []
    const slot = this.#slots[this.#at] as Slot
    if (slot.id !== null && this.#byId.get(slot.id) === this.#at) this.#byId.delete(slot.id)
    this.#slots[this.#at] = null
    this.#size -= 1
    this.#compact()
    return seenNow(slot, isSeen, this.#options.asksForRows)
  }

  /** @returns those that waited */
  clear(): readonly WaitingEvent[] {
    const waiting = this.#slots.flatMap((slot) => slot?.event ?? [])
    this.#slots = []
    this.#at = 0
    this.#size = 0
    this.#byId.clear()
    return waiting
  }

  #slotOf(id: string): Slot | undefined {
    return this.#slots[this.#byId.get(id) ?? -1] ?? undefined
  }

  #push(slot: Slot): void {
    if (slot.id !== null) this.#byId.set(slot.id, this.#slots.length)
    this.#slots.push(slot)
    this.#size += 1
    this.#compact()
  }

  /** Nobody needs it any more; what it would have taken out of sight goes where it stood. */
  #drop(id: string): readonly WaitingEvent[] {
    const index = this.#byId.get(id)
    if (index === undefined) return []
    const { event, replaces } = this.#slots[index] as Slot
    this.#byId.delete(id)
    if (replaces !== null && this.#options.asksForRows) {
      const replaced = this.#options.idOf(replaces)
      const removal = removalOf(event, replaces, 'RELATION')
      this.#slots[index] = { event: removal, id: replaced, isNew: false, replaces: null }
      if (!this.#byId.has(replaced)) this.#byId.set(replaced, index)
      return [event]
    }
    // Who asks for writes is not said otherwise that the key before is gone.
    if (replaces !== null) return []
    this.#slots[index] = null
    this.#size -= 1
    return [event]
  }

  #compact(): void {
    if (this.#slots.length < COMPACTED_FROM || this.#slots.length <= 2 * this.#size) return
    const slots = this.#slots.flatMap((slot, index) => (slot === null ? [] : [{ slot, index }]))
    const kept = new Map([...this.#byId].map(([id, index]) => [index, id]))
    this.#byId.clear()
    for (const [at, { index }] of slots.entries()) {
      const id = kept.get(index)
      if (id !== undefined) this.#byId.set(id, at)
    }
    this.#slots = slots.map(({ slot }) => slot)
    this.#at = 0
  }
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
  { event, replaces }: Slot,
  isSeen: (row: AnyRow) => boolean,
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
  const cursor = formatCursor(origin, toLsn(commitLsn - 1n), INDEX_AFTER_ALL)
  return [{ ...removalOf(event, replaces, 'ACCESS'), cursor, isLast: false }, shown]
}

/** The row with this key is none of those asked for any more. */
function removalOf(
  event: WaitingEvent,
  key: AnyRow,
  cause: MovedEvent['cause'],
): MovedEvent & { readonly isLast: boolean } {
  const { transaction, index } = event.kind === 'moved' ? event : event.change
  const at = { cursor: cursorOf(event), transaction, index, isLast: event.isLast }
  return { kind: 'moved', row: key, key, transition: 'LEFT', cause, ...at }
}
