/**
 * Stage 6, bus. Reads the log for all who are behind: after a cursor, or because their consumers are slower than changes
 * come. Those of a model who are at the same position read together, so that each change is found and decoded once; the
 * hindmost go first, and so catch up with the others. In slices of time, however many they are.
 */
import type { ChangePosition } from '../changes/change.ts'
import { indexAt, modelAt, offsetAfter } from '../changes/change-views.ts'
import { comparePositions } from '../changes/cursor.ts'
import type { ReadShare } from '../source/session/reader-wait.ts'
import { callAll } from './call-all.ts'
import { NextSlice } from './next-slice.ts'
import { offerTo } from './offer-to.ts'
import { beginRoundOf, leaveSlowOf, oldestReadOf, READING_MS } from './oldest-read.ts'
import { CATCHING_UP, type Choice, KEEPING_UP, type Lane, type Member, moveTo } from './reading-cohort.ts'
import type { LogEntry, RetainedLog } from './retained-log.ts'
import type { Subscriber } from './subscriber.ts'
import type { ReadingPosition } from './subscriber-phase.ts'
import { type Pressure, Slice, type SliceTimers } from './time-slices.ts'
import { asError } from './unread.ts'

/** What a reader works with. */
export interface LogReaderOptions {
  readonly log: RetainedLog
  readonly timers: SliceTimers
  readonly pressure: Pressure
  /** Everything in the log has been offered to the subscriber: it is live from now on. */
  readonly onCaughtUp: (subscriber: Subscriber) => void
  /** The log has been trimmed beyond what the subscriber has read. */
  readonly onLost: (subscriber: Subscriber, after: ChangePosition) => void
  /** The subscriber has no room, and is to be woken once it has some. */
  readonly onNoRoom: (subscriber: Subscriber) => void
}

/** Who has taken nothing at all yet has what it has not read trimmed away sooner than others. */
const BEGINNING_MS = 2_000

/** What a slice did for a model. */
interface Served {
  readonly isOver: boolean
  readonly steps: number
}

/** The reader of one log. */
export class LogReader {
  readonly #options: LogReaderOptions
  readonly #members = new Map<Subscriber, Member>()
  /** Those whose queues have room, by model; models take turns. */
  readonly #hungry = new Map<string, Set<Member>>()
  readonly #next: NextSlice
  /** Of the lanes, whose the last slice was. */
  #turn = 0
  #isClosed = false

  constructor(options: LogReaderOptions) {
    this.#options = options
    this.#next = new NextSlice(options.timers, () => this.#run())
  }

  /** Those that are behind. */
  get size(): number {
    return this.#members.size
  }

  /** The subscriber goes on after the position, which the log still has for its model. */
  add(subscriber: Subscriber, after: ChangePosition): void {
    const { log, timers } = this.#options
    const sequence = log.find(after)
    const entry = log.read(sequence)
    const isWithin = entry !== null && entry.part.transaction.commitLsn === after.commitLsn
    const at: ReadingPosition = {
      ...{ sequence, after, isHungry: false, round: null, isLeft: false },
      servedAtMs: timers.nowMs() - READING_MS + BEGINNING_MS,
      offset: isWithin ? offsetAfter(entry.part.changes, after.index) : 0,
    }
    log.noteReader(sequence)
    subscriber.phase = { kind: 'log', at }
    subscriber.queue.isBehind = true
    this.#members.set(subscriber, { subscriber, at })
  }

  remove(subscriber: Subscriber): void {
    const member = this.#members.get(subscriber)
    if (member === undefined) return
    this.#members.delete(subscriber)
    this.#rest(member)
  }

  /** The subscriber's consumer has room. */
  wake(subscriber: Subscriber): void {
    const member = this.#members.get(subscriber)
    if (member === undefined || this.#isClosed) return
    // One that waited for its consumer need not wait for the moment to pass.
    this.#next.soon()
    if (member.at.isHungry) return
    member.at.isHungry = true
    const { model } = subscriber
    const hungry = this.#hungry.get(model) ?? new Set()
    this.#hungry.set(model, hungry)
    hungry.add(member)
  }

  /** See `oldestReadOf`. */
  oldestRead(awaitedFrom?: number): number {
    return oldestReadOf(this.#members.values(), this.#options.timers.nowMs(), awaitedFrom)
  }

  /** See `AwaitedReaders`. */
  beginRound(): void {
    beginRoundOf(this.#members.values())
  }

  leaveSlow(min: ReadShare): void {
    leaveSlowOf(this.#members.values(), this.#options.log, min)
  }

  /** The log is gone. */
  close(): void {
    this.#isClosed = true
    // Each of them: a slice that is under way goes on with those who are still hungry.
    for (const subscriber of this.#members.keys()) this.remove(subscriber)
    this.#hungry.clear()
  }

  #run(): void {
    if (this.#hungry.size === 0) return
    const hasRoom = this.#options.pressure.relieve()
    this.#turn = (this.#turn + 1) % CATCHING_UP.length
    const isNearServed = this.#serveLane(KEEPING_UP)
    const hasServed = this.#serveLane(CATCHING_UP[this.#turn] as Lane) || isNearServed
    if (this.#hungry.size === 0) return
    if (hasServed || hasRoom || this.#isAnyServed()) this.#next.soon()
    else this.#next.later()
  }

  #serveLane({ choose, isFor }: Lane): boolean {
    const isServed = (member: Member): boolean => this.#mayRead(member) && isFor(member, this.#options.log)
    return this.#serveAll((members) => choose(members, isServed))
  }

  /** Where much waits, whoever has something left to take waits as well: who has taken all is given the next change. */
  #mayRead({ subscriber }: Member): boolean {
    return !this.#options.pressure.isTight || subscriber.queue.isAwaited
  }

  #isAnyServed(): boolean {
    if (this.#options.pressure.isFull) return false
    for (const hungry of this.#hungry.values())
      for (const member of hungry) if (this.#mayRead(member)) return true
    return false
  }

  /** Serves some of those who are hungry for a slice; whether there were any. */
  #serveAll(choose: Choice): boolean {
    const slice = new Slice(this.#options.timers)
    let hasServed = false
    for (const [model, hungry] of [...this.#hungry]) {
      const { isOver, steps } = this.#serve(model, () => choose(hungry), slice)
      hasServed ||= steps > 0
      // The next slice begins with the others.
      this.#hungry.delete(model)
      if (hungry.size > 0) this.#hungry.set(model, hungry)
      if (isOver || slice.isOver()) break
    }
    return hasServed
  }

  /** Serves those of one model until none has room or the slice is over. */
  #serve(model: string, choose: () => readonly Member[], slice: Slice): Served {
    for (let steps = 0; ; steps += 1) {
      if (this.#options.pressure.isFull) return { isOver: true, steps }
      const cohort = choose()
      if (cohort.length === 0) return { isOver: false, steps }
      const nowMs = this.#options.timers.nowMs()
      for (const { at } of cohort) at.servedAtMs = nowMs
      if (this.#readSafely(model, cohort, slice) || slice.isOver(cohort.length))
        return { isOver: true, steps: steps + 1 }
    }
  }

  /** What cannot be read ends those who are to read it: they would wait for ever, and everybody behind them. */
  #readSafely(model: string, cohort: readonly Member[], slice: Slice): boolean {
    try {
      return this.#readOn(model, cohort, slice)
    } catch (thrown) {
      const error = asError(thrown)
      callAll(cohort, ({ subscriber }) => {
        // Ending removes it from here; one that has caught up meanwhile goes on.
        if (this.#members.has(subscriber)) subscriber.endUnread(error)
      })
      return true
    }
  }

  /** Reads the next part for those who are at the same position; whether the slice is over. */
  #readOn(model: string, cohort: readonly Member[], slice: Slice): boolean {
    const { log } = this.#options
    const { at } = cohort[0] as Member
    if (at.sequence < log.first && comparePositions(log.floorOf(model), at.after) > 0) {
      for (const member of cohort) this.#lose(member)
      return false
    }
    const sequence = log.seek(model, at.sequence)
    const entry = log.read(sequence)
    if (entry === null) {
      for (const member of cohort) this.#catchUp(member)
      return false
    }
    const offset = sequence === at.sequence ? at.offset : 0
    return this.#readPart({ entry, sequence, offset, model }, cohort, slice)
  }

  #readPart(
    { entry, sequence, offset: from, model }: PartToRead,
    cohort: readonly Member[],
    slice: Slice,
  ): boolean {
    const { part, spans } = entry
    const { changes, transaction } = part
    const { commitLsn } = transaction
    const span = spans.find((each) => each.model === model)
    const end = span?.to ?? 0
    let members: readonly Member[] = cohort
    for (const { subscriber } of members) subscriber.releaseBefore(commitLsn)
    for (let offset = Math.max(from, span?.from ?? 0); offset < end; offset += 1) {
      if (modelAt(changes, offset) !== model) continue
      members = members.filter((member) => this.#isFedOn(member))
      if (members.length === 0) return false
      const after = { commitLsn, index: indexAt(changes, offset) }
      const offer = offerTo(subscribersOf(members), part, offset)
      if (offer === null) {
        // Who has not ended is not concerned, and goes on behind it.
        for (const member of members) moveTo(member, sequence, offset + 1, after)
        continue
      }
      for (const member of members) {
        member.subscriber.offer(offer)
        moveTo(member, sequence, offset + 1, after)
        // The others stay where they are, and are the hindmost in the next slice.
        if (slice.isOver(member.subscriber.judgingSteps)) return true
      }
      // One change each: whoever takes it at once is given the next.
      if (this.#options.pressure.isTight) return false
    }
    for (const member of members) {
      if (part.isFinal) member.subscriber.release()
      moveTo(member, sequence + 1, 0, entry.last ?? member.at.after)
    }
    return false
  }

  /** Whether it takes the next change; one that has no room stays where it is until its consumer has made some. */
  #isFedOn(member: Member): boolean {
    const { subscriber } = member
    if (!this.#members.has(subscriber)) return false
    if (subscriber.queue.hasRoom) return true
    this.#rest(member)
    this.#options.onNoRoom(subscriber)
    return false
  }

  #rest(member: Member): void {
    member.at.isHungry = false
    const { model } = member.subscriber
    const hungry = this.#hungry.get(model)
    hungry?.delete(member)
  }

  #catchUp(member: Member): void {
    const { subscriber } = member
    const { log } = this.#options
    if (log.openLsn === null) subscriber.release()
    else subscriber.releaseBefore(log.openLsn)
    this.remove(subscriber)
    subscriber.queue.isBehind = false
    if (subscriber.queue.isEnded) return
    this.#options.onCaughtUp(subscriber)
    subscriber.queue.notify()
  }

  #lose({ subscriber, at }: Member): void {
    this.remove(subscriber)
    this.#options.onLost(subscriber, at.after)
  }
}

/** A part, from where on it is read and for whom. */
interface PartToRead {
  readonly entry: LogEntry
  readonly sequence: number
  readonly offset: number
  readonly model: string
}

const subscribersOf = (members: readonly Member[]) => () => members.map(({ subscriber }) => subscriber)
