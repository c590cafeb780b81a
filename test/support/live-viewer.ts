/** A subscriber of the oracle: folds what is delivered to it, and knows what it should have. */
import { expect } from 'vitest'
import { createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import type { Condition } from '../../src/bus/filter/condition.ts'
import { allOf } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import type { SetWatcher } from '../../src/sets/held-set.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import type { JudgedWrite, LiveRows, MovedRow } from '../../src/sets/live-rows.ts'
import type { StreamTransaction } from '../../src/sets/rows-at.ts'
import type { HeldSets } from '../../src/sets/set-graph.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import type { World } from './live-world.ts'
import { naiveFind, naiveKeys } from './naive-keys.ts'

/** What a viewer may see and asks for. */
export interface Request {
  readonly model: ModelSpec
  readonly rows: Condition
  readonly where: Condition
  /** As it was written, for the report. */
  readonly text: string
}

/** The code under test: the real one, or a mutant. */
export interface SetsCode {
  readonly LiveRows: typeof import('../../src/sets/live-rows.ts').LiveRows
  readonly SetGraph: typeof import('../../src/sets/set-graph.ts').SetGraph
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

  private constructor({ world, code, readRows, ordinal }: Joining, request: Request, held: HeldSets) {
    this.#world = world
    this.#request = request
    this.#held = held
    this.#readRows = readRows
    this.#live = new code.LiveRows(request.model, request, held.get)
    this.#rows = new Map()
    this.ordinal = ordinal
    const { model, rows, where } = request
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
    for (const row of live.among(rows, this.ordinal)) this.#rows.set(this.#idOf(row), row)
    this.#check()
    this.#isBegun = true
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
    this.#check()
  }

  async #fold(transaction: StreamTransaction): Promise<void> {
    const { ordinal } = transaction
    const decided = this.#live.decide(transaction)
    for (const write of decided.writes) this.#foldWrite(write, ordinal)
    const rows = decided.request === null ? [] : await this.#readRows(decided.request, ordinal)
    for (const moved of this.#live.moved(decided, ordinal, rows)) this.#foldMoved(moved, ordinal)
  }

  #foldWrite({ change, judgement }: JudgedWrite, ordinal: number): void {
    if (change.action === 'TRUNCATE') {
      this.#rows.clear()
      return
    }
    const old = judgement.hidesOld ? null : change.old
    const after = judgement.hidesNew ? null : change.new
    for (const row of [old, after]) if (row !== null) this.#checkSight(row, ordinal)
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

  /** The adversary's side: what is shown may be seen with the rights before the transaction, or with those after it. */
  #checkSight(row: AnyRow, ordinal: number): void {
    const mayBeSeen = [ordinal - 1, ordinal].some((at) => {
      const keys = naiveKeys(this.#world.tablesAt(at))
      return compileCondition(this.#request.rows, keys)(row) === TRUE
    })
    expect(mayBeSeen, `${this.#request.text}: ${JSON.stringify(row)} was shown at ${ordinal}`).toBe(true)
  }

  #expected(ordinal: number): ReadonlyMap<string, AnyRow> {
    const { model, rows, where } = this.#request
    const found = naiveFind(this.#world.tablesAt(ordinal), model.name, allOf([rows, where]))
    return new Map(found.map((row) => [this.#idOf(row), row]))
  }

  #check(): void {
    const sorted = (rows: ReadonlyMap<string, AnyRow>) =>
      Object.fromEntries([...rows].sort(([a], [b]) => (a < b ? -1 : 1)))
    expect(sorted(this.#rows), `${this.#request.text} after ${this.ordinal}`).toEqual(
      sorted(this.#expected(this.ordinal)),
    )
  }

  #idOf(row: AnyRow): string {
    return rowIdOf(this.#request.model, row)
  }
}
