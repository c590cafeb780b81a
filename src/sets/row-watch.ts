/**
 * Sets, between stages 6 and 7. Rows that somebody's right to be there hangs on. Each is found once in the database and then looked up by
 * its key in what the stream brings, before anybody gets it. Where changes may be missing, all are looked for again.
 */

import type { RowTest } from '../bus/filter/compile-condition.ts'
import { newImage } from '../bus/filter/judge-change.ts'
import { TRUE } from '../bus/filter/outcome.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { primaryKeyOf } from '../catalog/row-key.ts'
import type { AnyChange, AnyRow, TransactionInfo, TransactionPart } from '../changes/change.ts'
import { modelAt } from '../changes/change-views.ts'
import type { Guard } from '../guard.ts'
import { type IsVisible, seesTransaction } from '../source/db/visibility.ts'
import type { Lsn } from '../wire/lsn.ts'
import { rowIdOf } from './written-rows.ts'

/** What it works with. */
export interface RowWatchOptions {
  readonly model: ModelSpec
  /** Rows of the model, as the database has them now. */
  readonly read: (query: { readonly where: object; readonly take?: number }) => Promise<readonly AnyRow[]>
  /** What a query sees that is made after the call. */
  readonly look: () => Promise<IsVisible>
  /** Whether its changes do not come at present, or nobody's do: then the database is asked every second instead. */
  readonly isBlind: () => boolean
  readonly guard: Guard
  readonly wait: (ms: number) => Promise<void>
  /** Calls again and again; returns what ends that. */
  readonly every: (ms: number, call: () => void) => () => void
}

/** Which row. */
export interface WantedRow {
  /** For Prisma Client. */
  readonly where: object
  readonly test: RowTest
}

/** A row that was there. */
export interface FoundRow {
  readonly id: string
  readonly key: AnyRow
  readonly test: RowTest
  /** What had come by then. */
  readonly sequence: number
}

/** Why a watch ends. */
export type Gone = 'gone' | 'unchecked'

interface Watcher {
  readonly found: FoundRow
  readonly onGone: (why: Gone) => void
}

/** How many of the latest rows are remembered, for those who are just being let in. */
const RECENT_MAX = 10_000
const READS_MAX = 5
const KEYS_AT_ONCE = 500
const ATTEMPTS_MAX = 60
const LOOK_INTERVAL_MS = 1_000
const LOOK_AGAIN_MS = 10
const LOOKS_FOR_VISIBLE_MAX = 200
/** A minute and more, which is beyond the time of whoever asks: what is waited for may never be seen. */
const LOOKS_TO_FIND_MAX = 6_000
/** What committed before the stream begins may be visible a moment later only. */
const LOOKS_AFTER_LOSS = 3

/** Those of one model. */
export class RowWatch {
  readonly #options: RowWatchOptions
  readonly #watched = new Map<string, Set<Watcher>>()
  /** The rows that were written last, as they are now; null for one that is gone. */
  readonly #recent = new Map<string, { readonly sequence: number; readonly row: AnyRow | null }>()
  /** Transactions of the model of which no look has said yet that queries see them. */
  readonly #unseen = new Map<number, Lsn>()
  #sequence = 0
  /** What came up to here is not remembered. */
  #floor = 0
  #isChecking = false
  /** How often it is to be looked for all rows from now on. */
  #looksDue = 0
  #stopTicking: (() => void) | null = null

  constructor(options: RowWatchOptions) {
    this.#options = options
  }

  /** How many are watched. */
  get size(): number {
    return this.#watched.size
  }

  /** The row, if it is there; `'several'` where it is not said which. Null for none. */
  async find({ where, test }: WantedRow): Promise<FoundRow | 'several' | 'restless' | null> {
    const { model, read } = this.#options
    for (let attempt = 0; attempt < READS_MAX; attempt += 1) {
      const sequence = this.#sequence
      if (!(await this.#whenVisible(LOOKS_TO_FIND_MAX))) return 'restless'
      const [row, other] = await read({ where, take: 2 })
      if (row === undefined) return null
      if (other !== undefined) return 'several'
      const found = { id: rowIdOf(model, row), key: primaryKeyOf(model, row), test, sequence }
      const now = this.#stateOf(found)
      if (now !== 'unknown') return now === 'there' ? { ...found, sequence: this.#sequence } : null
    }
    return 'restless'
  }

  /** Calls back once when the row is gone, never at once. Returns what ends the watch. */
  watch(found: FoundRow, onGone: (why: Gone) => void): () => void {
    const watcher: Watcher = { found, onGone }
    const state = this.#stateOf(found)
    const those = this.#watched.get(found.id) ?? new Set()
    this.#watched.set(found.id, those.add(watcher))
    this.#stopTicking ??= this.#options.every(LOOK_INTERVAL_MS, () => {
      if (this.#options.isBlind()) this.#check(1)
    })
    if (state === 'gone') {
      const { guard } = this.#options
      queueMicrotask(guard.wrap('end what hangs on a row', () => this.#end(watcher, 'gone')))
    } else if (state === 'unknown' || this.#options.isBlind()) this.#check(1)
    return () => this.#forget(watcher)
  }

  /** Sees what the stream brings, before anybody gets it. */
  onPart({ changes, transaction }: TransactionPart): void {
    const { name } = this.#options.model
    for (let at = 0; at < changes.length; at += 1) {
      if (modelAt(changes, at) !== name) continue
      this.#noteUnseen(transaction)
      const change = changes.at(at)
      if (change !== undefined) this.#note(change)
    }
  }

  /** Changes may have been missed. */
  onLost(): void {
    this.#sequence += 1
    this.#floor = this.#sequence
    this.#recent.clear()
    // What has come and cannot be seen yet is waited for as before: a read that does not see it finds who is gone.
    this.#check(LOOKS_AFTER_LOSS)
  }

  /** What committed at `lsn` or behind it is of a server that is read no more: queries may never see it. */
  onRewound(lsn: Lsn): void {
    for (const [xid, commitLsn] of this.#unseen) if (commitLsn >= lsn) this.#unseen.delete(xid)
  }

  #noteUnseen({ xid, commitLsn }: TransactionInfo): void {
    const [oldest] = this.#unseen.set(xid, commitLsn).keys()
    // So many have come behind it: it can be seen.
    if (this.#unseen.size > RECENT_MAX && oldest !== undefined) this.#unseen.delete(oldest)
  }

  /** A commit may be in the stream before queries see it. False: some cannot be seen after so many looks. */
  async #whenVisible(looksMax: number): Promise<boolean> {
    let left = [...this.#unseen]
    for (let looks = 0; left.length > 0 && looks < looksMax; looks += 1) {
      const isVisible = await this.#options.look()
      for (const [xid, commitLsn] of left)
        if (seesTransaction(isVisible, { xid, commitLsn })) this.#unseen.delete(xid)
      left = left.filter(([xid]) => this.#unseen.has(xid))
      if (left.length > 0) await this.#options.wait(LOOK_AGAIN_MS)
    }
    return left.length === 0
  }

  #note(change: AnyChange): void {
    const { model } = this.#options
    if (change.action === 'TRUNCATE') {
      this.#sequence += 1
      this.#floor = this.#sequence
      this.#recent.clear()
      for (const watcher of this.#all()) this.#end(watcher, 'gone')
      return
    }
    // Which row it was is not said.
    if (change.key === null || change.oldKey === undefined) this.onLost()
    if (change.oldKey != null) this.#noteRow(rowIdOf(model, change.oldKey), null)
    if (change.key !== null) this.#noteRow(rowIdOf(model, change.key), newImage(change) ?? null)
  }

  #noteRow(id: string, row: AnyRow | null): void {
    this.#sequence += 1
    this.#recent.delete(id)
    this.#recent.set(id, { sequence: this.#sequence, row })
    if (this.#recent.size > RECENT_MAX) this.#forgetOldest()
    for (const watcher of [...(this.#watched.get(id) ?? [])]) {
      if (!holds(watcher.found.test, row)) this.#end(watcher, 'gone')
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#recent
    if (oldest === undefined) return
    this.#floor = oldest[1].sequence
    this.#recent.delete(oldest[0])
  }

  /** What has become of a row since it was found. */
  #stateOf({ id, sequence, test }: FoundRow): 'there' | 'gone' | 'unknown' {
    const recent = this.#recent.get(id)
    if (recent !== undefined && recent.sequence > sequence) return holds(test, recent.row) ? 'there' : 'gone'
    return sequence < this.#floor ? 'unknown' : 'there'
  }

  #all(): readonly Watcher[] {
    return [...this.#watched.values()].flatMap((each) => [...each])
  }

  #end(watcher: Watcher, why: Gone): void {
    if (!this.#forget(watcher)) return
    // What one of them throws must not keep another open.
    this.#options.guard.run('end what hangs on a row', () => watcher.onGone(why))
  }

  #forget(watcher: Watcher): boolean {
    const those = this.#watched.get(watcher.found.id)
    const wasThere = those?.delete(watcher) ?? false
    if (those?.size === 0) this.#watched.delete(watcher.found.id)
    if (this.size === 0) {
      this.#stopTicking?.()
      this.#stopTicking = null
    }
    return wasThere
  }

  /** Looks for all rows again, one look at a time. */
  #check(looks: number): void {
    this.#looksDue = Math.max(this.#looksDue, looks)
    if (this.#isChecking) return
    this.#isChecking = true
    const endAll = () => {
      this.#isChecking = false
      for (const watcher of this.#all()) this.#end(watcher, 'unchecked')
    }
    const { guard } = this.#options
    guard.run('look for rows again', () =>
      guard.settle('look for rows again', () => this.#checkAll(), endAll)(),
    )
  }

  async #checkAll(): Promise<void> {
    const { wait, isBlind } = this.#options
    for (let failures = 0; this.#looksDue > 0 && this.size > 0; ) {
      this.#looksDue -= 1
      // Once more when changes come again: until then they may have been missed.
      if (isBlind()) this.#looksDue = Math.max(this.#looksDue, 1)
      try {
        await this.#checkOnce()
        failures = 0
      } catch (error) {
        failures += 1
        this.#looksDue = Math.max(this.#looksDue, 1)
        if (failures >= ATTEMPTS_MAX) throw error
      }
      if (this.#looksDue > 0) await wait(LOOK_INTERVAL_MS)
    }
    this.#looksDue = 0
    this.#isChecking = false
  }

  async #checkOnce(): Promise<void> {
    const { model, read } = this.#options
    await this.#whenVisible(LOOKS_FOR_VISIBLE_MAX)
    const keys = new Map(
      [...this.#watched].flatMap(([id, [first]]) => (first ? [[id, first.found.key]] : [])),
    )
    const ids = [...keys.keys()]
    for (let at = 0; at < ids.length; at += KEYS_AT_ONCE) {
      const some = ids.slice(at, at + KEYS_AT_ONCE)
      const sequence = this.#sequence
      const rows = await read({ where: { OR: some.map((id) => keys.get(id)) } })
      const byId = new Map(rows.map((row) => [rowIdOf(model, row), row]))
      for (const id of some) this.#noteRead(id, byId.get(id) ?? null, sequence)
    }
  }

  /** A row as the database had it: what the stream has said of it since counts more. */
  #noteRead(id: string, row: AnyRow | null, sequence: number): void {
    if ((this.#recent.get(id)?.sequence ?? 0) > sequence) return
    for (const watcher of [...(this.#watched.get(id) ?? [])]) {
      if (!holds(watcher.found.test, row)) this.#end(watcher, 'gone')
    }
  }
}

/** What cannot be said of a row does not hold. */
function holds(test: RowTest, row: AnyRow | null): boolean {
  return row !== null && test(row) === TRUE
}
