/** A subscriber of the oracle: folds what is delivered to it, and knows what it should have. */
import { expect } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import type { Condition } from '../../src/bus/filter/condition.ts'
import { allOf } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { primaryKeyOf } from '../../src/catalog/row-key.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { formatCursor, INDEX_AFTER_ALL, parseCursor } from '../../src/changes/cursor.ts'
import { keyBefore } from '../../src/changes/key-before.ts'
import type { RowsReady } from '../../src/sets/first-rows.ts'
import type { SetWatcher } from '../../src/sets/held-set.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import type { WaitingEvent } from '../../src/sets/latest-events.ts'
import type { JudgedWrite, LiveRows, MovedRow } from '../../src/sets/live-rows.ts'
import { cursorOf } from '../../src/sets/related-event.ts'
import type { StreamTransaction } from '../../src/sets/rows-at.ts'
import type { HeldSets } from '../../src/sets/set-graph.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import type { Dice, SoftDeletes, World } from './live-world.ts'
import { naiveFind, naiveKeys } from './naive-keys.ts'
import { plainTransaction } from './plain-change.ts'

/** What a viewer may see and asks for. */
export interface Request {
  readonly model: ModelSpec
  readonly rows: Condition
  readonly where: Condition
  /** As it was written, for the report. */
  readonly text: string
}

/** The code under test: the real one, or a mutant. */
export interface SetsCode extends SoftDeletes {
  readonly LiveRows: typeof import('../../src/sets/live-rows.ts').LiveRows
  readonly SetGraph: typeof import('../../src/sets/set-graph.ts').SetGraph
  readonly LatestEvents: typeof import('../../src/sets/latest-events.ts').LatestEvents
  readonly WaitingFirstRows: typeof import('../../src/sets/waiting-first-rows.ts').WaitingFirstRows
  readonly readRowsAt: typeof import('../../src/sets/rows-at.ts').readRowsAt
}

/** What a viewer joins. */
export interface Joining {
  readonly world: World
  readonly code: SetsCode
  readonly graph: InstanceType<SetsCode['SetGraph']>
  readonly readRows: ReadRows
  /** The transaction that the sets have come to. */
  readonly ordinal: number
  /** For one that is given the latest event of each row, at any moment. @default it is given every event at once */
  readonly dice?: Dice | undefined
}

/** One that conflates. */
interface ConflatingFold {
  readonly first: InstanceType<SetsCode['WaitingFirstRows']>
  readonly latest: InstanceType<SetsCode['LatestEvents']>
  readonly dice: Dice
  /** All events, as whoever takes each at once is given them. */
  readonly sequence: WaitingEvent[]
}

function movedEvent(model: ModelSpec, moved: MovedRow, ordinal: number, isLast: boolean): WaitingEvent {
  const transaction = plainTransaction(ordinal)
  const index = isLast ? INDEX_AFTER_ALL : INDEX_AFTER_ALL - 1
  const cursor = formatCursor(transaction.origin, transaction.commitLsn, index)
  const key = primaryKeyOf(model, moved.row)
  return { kind: 'moved', ...moved, key, cursor, transaction, index: 0, isLast }
}

/** Whether it comes for whoever goes on in its transaction after this index: what the transaction moved comes once more. */
function isBehind(event: WaitingEvent, index: number): boolean {
  return event.kind === 'moved' ? index < INDEX_AFTER_ALL : event.change.index > index
}

/** The images that an event shows. */
function shownBy(event: WaitingEvent): readonly AnyRow[] {
  if (event.kind === 'moved') return event.transition === 'LEFT' ? [] : [event.row]
  const { change, judgement } = event
  const shown = [judgement.hidesOld ? null : change.old, judgement.hidesNew ? null : change.new]
  return shown.filter((row) => row !== null)
}

/** As docs/live-sets.md says it. */
function foldShown(rows: Map<string, AnyRow>, event: WaitingEvent, idOf: (row: AnyRow) => string): void {
  if (event.kind === 'moved') {
    if (event.transition === 'LEFT') rows.delete(idOf(event.key))
    else rows.set(idOf(event.key), event.row)
    return
  }
  const { change, judgement } = event
  const { hidesOld, hidesNew, transition } = judgement
  if (change.action === 'TRUNCATE') rows.clear()
  const key = hidesNew ? keyBefore(change) : change.key
  if (!hidesOld && change.oldKey != null) rows.delete(idOf(change.oldKey))
  if (key !== null) rows.delete(idOf(key))
  if (change.new !== null && !hidesNew && transition !== 'LEFT') rows.set(idOf(change.new), change.new)
}

/** One subscriber. */
export class Viewer implements SetWatcher {
  readonly #world: World
  readonly #request: Request
  readonly #readRows: ReadRows
  readonly #held: HeldSets
  readonly #rows: Map<string, AnyRow>
  readonly #live: LiveRows
  ordinal: number
  #isBegun = false
  /** The transactions that it was said of that they may concern it. */
  readonly #due = new Set<number>()
  readonly #conflating: ConflatingFold | null

  private constructor({ world, code, readRows, ordinal, dice }: Joining, request: Request, held: HeldSets) {
    this.#world = world
    this.#request = request
    this.#held = held
    this.#readRows = readRows
    this.#live = new code.LiveRows(request.model, request, held.get)
    this.#rows = new Map()
    this.ordinal = ordinal
    const { model, rows, where } = request
    const idOf = (key: AnyRow) => rowIdOf(model, key)
    const latest = new code.LatestEvents({ asksForRows: true, idOf, weigh: () => 1 })
    const first = new code.WaitingFirstRows((row) => primaryKeyOf(model, row))
    this.#conflating = dice === undefined ? null : { first, latest, dice, sequence: [] }
    held.watch({ watcher: this, filters: new Map([[model, createChangeFilter({ rows, where })]]) })
  }

  concern({ ordinal }: StreamTransaction): void {
    this.#due.add(ordinal)
  }

  static async join(joining: Joining, request: Request): Promise<Viewer> {
    const { graph } = joining
    const held = graph.hold([request.rows, request.where])
    await held.ready()
    return new Viewer(joining, request, held)
  }

  /** Reads the first rows, when they are asked for: by then the sets may be further. */
  async #begin(): Promise<void> {
    const live = this.#live
    const rows = await this.#readRows(live.candidates(this.ordinal), this.ordinal)
    this.#isBegun = true
    const found = live.among(rows, this.ordinal)
    if (this.#conflating !== null) return this.#wait(found, this.#conflating)
    for (const row of found) this.#rows.set(this.#idOf(row), row)
    this.#check()
  }

  leave(): void {
    this.#held.release()
  }

  /** Takes the next transaction, and compares what it has then. */
  async take(transaction: StreamTransaction): Promise<void> {
    await this.#held.ready()
    if (!this.#isBegun) await this.#begin()
    const { ordinal } = transaction
    // As a subscription does, it passes over the others.
    if (this.#due.has(ordinal)) await this.#fold(transaction)
    this.ordinal = ordinal
    if (this.#conflating === null) this.#check()
    else this.#give(this.#conflating)
  }

  /** Some of what waits, or all of it: then it has what it should. */
  #give({ first, latest, dice, sequence }: ConflatingFold): void {
    const { ordinal } = this
    let last: WaitingEvent | RowsReady | null = null
    const sight = { isSeen: (row: AnyRow) => this.#live.isSeenAt(row, ordinal), isHeard: () => true }
    for (let left = dice.chance(0.4) ? Number.POSITIVE_INFINITY : dice.below(3); left > 0; left -= 1) {
      if (first.size === 0 && latest.first === undefined) break
      const event = (first.size > 0 ? first : latest).shift(sight)
      if (event === undefined) continue
      if (event.kind === 'ready') last = event
      else if (event.kind === 'first') {
        this.#checkSight(event.row, [ordinal])
        this.#rows.set(this.#idOf(event.key), event.row)
      } else {
        for (const row of shownBy(event)) this.#checkSight(row, [ordinal])
        foldShown(this.#rows, event, (row) => this.#idOf(row))
        last = event
      }
    }
    if (first.size === 0 && latest.first === undefined) this.#check()
    if (last === null) return
    // Whoever goes on after what it was given last has the same in the end.
    const { commitLsn, index } = parseCursor(last.kind === 'ready' ? last.cursor : cursorOf(last)).position
    const resumed = new Map(this.#rows)
    for (const event of sequence) {
      const at = parseCursor(cursorOf(event)).position
      const isLater = at.commitLsn > commitLsn || (at.commitLsn === commitLsn && isBehind(event, index))
      if (isLater) foldShown(resumed, event, (row) => this.#idOf(row))
    }
    this.#check(resumed)
  }

  /** It has the rows there are before anything else. */
  #wait(rows: readonly AnyRow[], { first }: ConflatingFold): void {
    const { origin, commitLsn } = plainTransaction(this.ordinal)
    const cursor = formatCursor(origin, commitLsn, INDEX_AFTER_ALL)
    for (const row of rows) first.add({ kind: 'first', row, key: row, cursor })
    first.close({ kind: 'ready', cursor }, () => rows.length)
  }

  #keep(event: WaitingEvent): void {
    this.#conflating?.latest.add(event)
    this.#conflating?.sequence.push(event)
  }

  async #fold(transaction: StreamTransaction): Promise<void> {
    const { ordinal } = transaction
    const decided = this.#live.decide(transaction)
    for (const write of decided.writes) {
      if (this.#conflating === null) this.#foldWrite(write, ordinal)
      else this.#keep({ kind: 'written', ...write, isLast: false })
    }
    const rows = decided.request === null ? [] : await this.#readRows(decided.request, ordinal)
    const all = this.#live.moved(decided, ordinal, rows)
    for (const [at, moved] of all.entries()) {
      if (this.#conflating === null) this.#foldMoved(moved, ordinal)
      else this.#keep(movedEvent(this.#request.model, moved, ordinal, at === all.length - 1))
    }
  }

  #foldWrite({ change, judgement }: JudgedWrite, ordinal: number): void {
    if (change.action === 'TRUNCATE') {
      this.#rows.clear()
      return
    }
    const old = judgement.hidesOld ? null : change.old
    const after = judgement.hidesNew ? null : change.new
    for (const row of [old, after]) if (row !== null) this.#checkSight(row, [ordinal - 1, ordinal])
    if (change.old !== null) this.#rows.delete(this.#idOf(change.old))
    if (after !== null && judgement.transition !== 'LEFT') this.#rows.set(this.#idOf(after), after)
  }

  #foldMoved({ row, transition }: MovedRow, ordinal: number): void {
    const id = this.#idOf(row)
    // What is read is what was there, and of a row that leaves nothing but its key is shown.
    const seen = transition === 'ENTERED' ? this.#expected(ordinal) : this.#expected(ordinal - 1)
    expect(seen.has(id), `${this.#request.text}: ${transition} ${id} at ${ordinal} was never in sight`).toBe(
      true,
    )
    expect(this.#rows.has(id), `${this.#request.text}: ${transition} ${id} twice`).toBe(transition === 'LEFT')
    if (transition === 'ENTERED') this.#rows.set(id, row)
    else this.#rows.delete(id)
  }

  /** The adversary's side: what is shown may be seen with the rights before the transaction, or with those after it; what has waited, with those of now. */
  #checkSight(row: AnyRow, ordinals: readonly number[]): void {
    const mayBeSeen = ordinals.some((at) => {
      const keys = naiveKeys(this.#world.tablesAt(at))
      return compileCondition(this.#request.rows, keys)(row) === TRUE
    })
    expect(mayBeSeen, `${this.#request.text}: ${JSON.stringify(row)} was shown at ${ordinals}`).toBe(true)
  }

  #expected(ordinal: number): ReadonlyMap<string, AnyRow> {
    const { model, rows, where } = this.#request
    const found = naiveFind(this.#world.tablesAt(ordinal), model.name, allOf([rows, where]))
    return new Map(found.map((row) => [this.#idOf(row), row]))
  }

  #check(has: ReadonlyMap<string, AnyRow> = this.#rows): void {
    const sorted = (rows: ReadonlyMap<string, AnyRow>) =>
      Object.fromEntries([...rows].sort(([a], [b]) => (a < b ? -1 : 1)))
    expect(sorted(has), `${this.#request.text} after ${this.ordinal}`).toEqual(
      sorted(this.#expected(this.ordinal)),
    )
  }

  #idOf(row: AnyRow): string {
    return rowIdOf(this.#request.model, row)
  }
}
