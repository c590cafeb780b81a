/**
 * Stage 6, bus. Subscriptions whose cursors lie outside the log of this process: older than it, and then the broker's
 * stream is read until the log goes on from there; or ahead of it, and then they wait. What it has beyond the log waits, too.
 * It is read once for all who are behind: a walk begins with the hindmost of a model and takes along whoever is further on. Whoever wants
 * all there is has a walk of its own until something is found: what lies between a cursor and that beginning may be missing.
 */
import type { ChangePosition, TransactionPart } from '../changes/change.ts'
import { endOfPart, hasChangeOf, indexAt, modelAt } from '../changes/change-views.ts'
import { compareAfter, comparePositions, laterOf } from '../changes/cursor.ts'
import { isRowcastError } from '../errors.ts'
import { toLsn } from '../wire/lsn.ts'
import type { OlderLog } from './bus.ts'
import type { History } from './history.ts'
import { offerTo } from './offer-to.ts'
import type { Subscriber } from './subscriber.ts'
import type { OlderPosition } from './subscriber-phase.ts'
import { type Pressure, Slice, type SliceTimers } from './time-slices.ts'
import { asError } from './unread.ts'

/** What it works with. */
export interface OlderReadersOptions {
  readonly older: OlderLog
  readonly known: History
  readonly timers: SliceTimers
  readonly pressure: Pressure
  /** The log of this process has everything after the position. */
  readonly onReachedLog: (subscriber: Subscriber, after: ChangePosition) => void
  /** The subscriber has no room, and is to be woken once it has some. */
  readonly onNoRoom: (subscriber: Subscriber) => void
}

interface Member {
  readonly subscriber: Subscriber
  readonly at: OlderPosition
}

/** All who read what is older than one log. */
export class OlderReaders {
  readonly #options: OlderReadersOptions
  readonly #members = new Map<Subscriber, Member>()
  /** Those whose positions others have, and this process is still to read. */
  readonly #arriving = new Set<Member>()
  #isLooking = false
  /** Models of which a walk is under way, and those of which the beginning is sought. */
  readonly #walking = new Set<string>()
  readonly #seeking = new Set<string>()
  #isClosed = false

  constructor(options: OlderReadersOptions) {
    this.#options = options
  }

  /** The subscriber goes on after the position; null: with the oldest there is. */
  add(subscriber: Subscriber, after: ChangePosition | null): void {
    const at: OlderPosition = { after, isHungry: false, seeksBeginning: after === null }
    subscriber.phase = { kind: 'older', at }
    subscriber.queue.isBehind = true
    const member = { subscriber, at }
    this.#members.set(subscriber, member)
    if (after !== null && this.#isAhead(member)) void this.#awaitReached(member, after)
  }

  remove(subscriber: Subscriber): void {
    this.#members.delete(subscriber)
  }

  /** The subscriber's consumer has room. */
  wake(subscriber: Subscriber): void {
    const member = this.#members.get(subscriber)
    if (member === undefined || member.at.isHungry || this.#isClosed) return
    member.at.isHungry = true
    if (this.#isAhead(member)) this.#awaitHere(member)
    else this.#startWalk(member)
  }

  /** The log is gone. */
  close(): void {
    this.#isClosed = true
    this.#members.clear()
    this.#arriving.clear()
  }

  #isAhead({ at }: Member): boolean {
    return at.after !== null && !this.#options.known.log.hasReached(at.after)
  }

  async #awaitReached(member: Member, position: ChangePosition): Promise<void> {
    const { older, known } = this.#options
    const { subscriber, at } = member
    // One that has gone on without an answer needs none.
    const isWaiting = (): boolean =>
      this.#members.get(subscriber) === member && at.after === position && this.#isAhead(member)
    try {
      const isReached = await older.hasReached(position)
      if (isWaiting() && !isReached) subscriber.queue.end(known.notReached())
      else this.#awaitHere(member)
    } catch (error) {
      if (isWaiting()) subscriber.endUnread(error)
    }
  }

  /** The database has come so far: what this process has heard of, it reads in the turns that others leave it. */
  #awaitHere(member: Member): void {
    this.#arriving.add(member)
    this.#lookForArrivals()
  }

  #lookForArrivals(): void {
    for (const member of this.#arriving) {
      const isMember = this.#members.get(member.subscriber) === member
      if (isMember && this.#isAhead(member)) continue
      this.#arriving.delete(member)
      // A walk may have taken it along since it began to wait: it goes on where it is now.
      if (isMember && member.at.after !== null) this.#reachLog(member, member.at.after)
    }
    if (this.#isLooking || this.#arriving.size === 0) return
    this.#isLooking = true
    this.#options.timers.later(() => {
      this.#isLooking = false
      this.#lookForArrivals()
    })
  }

  #reachLog({ subscriber }: Member, after: ChangePosition): void {
    this.#members.delete(subscriber)
    this.#options.onReachedLog(subscriber, after)
  }

  #startWalk({ subscriber: { model }, at: { seeksBeginning } }: Member): void {
    const walking = seeksBeginning ? this.#seeking : this.#walking
    if (walking.has(model)) return
    walking.add(model)
    this.#walkWhileHungry(model, seeksBeginning)
      .catch((thrown: unknown) => {
        for (const { subscriber } of this.#hungry(model, seeksBeginning))
          subscriber.endUnread(asError(thrown))
      })
      .finally(() => {
        walking.delete(model)
        this.#goOn(model)
      })
  }

  async #walkWhileHungry(model: string, seeksBeginning: boolean): Promise<void> {
    // After whoever else is about to come.
    await this.#turn()
    while (this.#hungry(model, seeksBeginning).length > 0 && !this.#isClosed) {
      this.#options.pressure.relieve()
      const readable = this.#hungry(model, seeksBeginning).filter((member) => this.#mayRead(member))
      const [first] = readable.sort((a, b) => compareAfter(a.at.after, b.at.after))
      if (first === undefined) await this.#moment()
      else await this.#walk(model, first.at)
    }
  }

  #goOn(model: string): void {
    for (const member of this.#members.values()) {
      if (member.subscriber.model !== model || !member.at.isHungry) continue
      if (this.#isAhead(member)) this.#awaitHere(member)
      else this.#startWalk(member)
    }
  }

  #hungry(model: string, seeksBeginning: boolean): Member[] {
    return [...this.#members.values()].filter(
      (member) =>
        member.subscriber.model === model &&
        member.at.seeksBeginning === seeksBeginning &&
        member.at.isHungry &&
        !this.#isAhead(member),
    )
  }

  /** Where much waits, whoever has something left to take waits as well: who has taken all is given the next change. */
  #mayRead({ subscriber }: Member): boolean {
    const { isFull, isTight } = this.#options.pressure
    return !isFull && (!isTight || subscriber.queue.isAwaited)
  }

  /** Reads on from the position as long as one of those who are there, or further on, may be given what is read. */
  async #walk(model: string, { after: from, seeksBeginning }: OlderPosition): Promise<void> {
    const { older, known } = this.#options
    const beginning = seeksBeginning ? known.beginningOf(model, true) : null
    let position = from ?? beginning
    const here = (): Member[] =>
      this.#hungry(model, seeksBeginning).filter(
        ({ at }) => seeksBeginning || compareAfter(at.after, position) >= 0,
      )
    try {
      const reader = older.read(model, from, beginning)
      for (;;) {
        if (position !== null && comparePositions(position, known.log.floorOf(model)) >= 0) {
          return this.#arrive(here(), position)
        }
        const parts = await reader.next()
        for (const part of parts) {
          if (!(await this.#hasCome(part, here))) return
          await this.#offer(part, here())
          // Who has rested within it, or has come meanwhile, is not here any more: it goes on where it is.
          position = endOfPart(part)
          if (seeksBeginning && hasChangeOf(part, model)) return
        }
        this.#options.pressure.relieve()
        if (this.#isClosed || !here().some((member) => this.#mayRead(member))) return
        if (parts.length > 0) position = reader.position
        else await this.#moment()
      }
    } catch (thrown) {
      const error = asError(thrown)
      // Whoever is further on may find what is still there.
      const isTooOld = isRowcastError(error, 'RESYNC_REQUIRED')
      for (const { subscriber, at } of here()) {
        if (!isTooOld || compareAfter(at.after, position) <= 0) subscriber.endUnread(error)
      }
    } finally {
      if (seeksBeginning) this.#findBeginning(model)
    }
  }

  /** Nobody is given what the log has not come to: who is live, and merged with it, has not been asked about that. False: all have left. */
  async #hasCome(part: TransactionPart, here: () => readonly Member[]): Promise<boolean> {
    const { log } = this.#options.known
    while (here().length > 0 && !log.hasReached(endOfPart(part))) await this.#moment()
    return here().length > 0
  }

  /** Whoever was given something goes on as those with cursors do. */
  #findBeginning(model: string): void {
    for (const { subscriber, at } of this.#members.values())
      if (subscriber.model === model && at.after !== null) at.seeksBeginning = false
  }

  #arrive(members: readonly Member[], position: ChangePosition): void {
    for (const member of members) this.#reachLog(member, laterOf(member.at.after ?? position, position))
  }

  /** Offers what is in the part. Who has no room, or may not read now, stays where it is, for another walk. */
  async #offer(part: TransactionPart, joined: readonly Member[]): Promise<void> {
    const { changes, transaction, isFinal } = part
    const { commitLsn } = transaction
    let members = joined
    let slice = new Slice(this.#options.timers)
    for (const { subscriber } of members) subscriber.releaseBefore(commitLsn)
    for (let offset = 0; offset < changes.length; offset += 1) {
      const model = modelAt(changes, offset)
      if (members[0]?.subscriber.model !== model) continue
      const stands = { commitLsn, index: indexAt(changes, offset) }
      members = members.filter((member) => this.#isFedOn(member, stands))
      if (members.length === 0) return
      const isDue = ({ at }: Member) => compareAfter(at.after, stands) < 0
      const due = members.filter(isDue)
      const offer = offerTo(() => due.map(({ subscriber }) => subscriber), part, offset)
      if (offer === null) continue
      for (const member of due) {
        const { subscriber, at } = member
        if (this.#members.get(subscriber) !== member || !isDue(member)) continue
        subscriber.offer(offer)
        at.after = stands
        if (slice.isOver(subscriber.judgingSteps)) {
          await this.#turn()
          slice = new Slice(this.#options.timers)
        }
      }
      // One change each: whoever takes it at once is given the next, and what was read is not read again for it.
      if (this.#options.pressure.isTight) await this.#untilTaken(members)
    }
    const end = endOfPart(part)
    for (const member of members) {
      const { subscriber, at } = member
      if (this.#members.get(subscriber) !== member) continue
      if (isFinal) subscriber.releaseBefore(toLsn(commitLsn + 1n))
      // Who has had nothing of its model is not to go on from here: a gap before the beginning is none.
      if (at.after !== null) at.after = laterOf(at.after, end)
    }
  }

  async #untilTaken(members: readonly Member[]): Promise<void> {
    await this.#turn()
    if (!members.some((member) => this.#mayRead(member))) await this.#moment()
  }

  /** Whether it takes the change, or is beyond it. */
  #isFedOn(member: Member, stands: ChangePosition): boolean {
    const { subscriber, at } = member
    if (this.#members.get(subscriber) !== member) return false
    if (compareAfter(at.after, stands) >= 0) return true
    if (subscriber.queue.hasRoom) return this.#mayRead(member)
    at.isHungry = false
    this.#options.onNoRoom(subscriber)
    return false
  }

  #turn = (): Promise<void> => new Promise((resolve) => this.#options.timers.soon(resolve))

  #moment = (): Promise<void> => new Promise((resolve) => this.#options.timers.later(resolve))
}
