/**
 * A small PostgreSQL in memory: transactions whose commits end out of the order of their ids, reach the stream before other sessions
 * see them or after, and a bus that gets them in commit order. Every step is chosen by a seed.
 */
import type { ChangeBus } from '../../src/bus/bus.ts'
import { BusObservers } from '../../src/bus/bus-observer.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyChange, AnyRow } from '../../src/changes/change.ts'
import type { Fence } from '../../src/sets/fence.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from './plain-change.ts'

/** What a transaction does to one row; null where there is none. */
interface Write {
  readonly before: AnyRow | null
  readonly after: AnyRow | null
}

interface Transaction {
  readonly xid: number
  readonly writes: Write[]
  readonly keys: Set<number>
  commitLsn: number
}

/** Random numbers below a bound, the same for the same seed. */
export type PickBelow = (below: number) => number

/** mulberry32. */
export function picker(seed: number): PickBelow {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** Keys are below it: few, so that writers meet. */
const KEYS = 24
const GROUPS = 3

/** The world: one model `Thing` with `id`, `group` and `value`. */
export class MvccWorld {
  readonly bus: ChangeBus
  /** Changes that waited for a subscription and fell away. */
  conflated = 0
  readonly #pick: PickBelow
  readonly #open: Transaction[] = []
  /** In commit order. */
  readonly #committed: Transaction[] = []
  readonly #invisible = new Set<number>()
  readonly #locked = new Map<number, Transaction>()
  #delivered = 0
  #xid = 100
  #lsn = 1_000

  /**
   * @param model `Thing`, with an `id` as its key
   * @param queueLengthMax what may wait for a subscription @default more than there is
   */
  constructor(model: ModelSpec, pick: PickBelow, queueLengthMax?: number) {
    const observers = new BusObservers()
    observers.add({ onDropped: (_model, count) => (this.conflated += count) })
    this.bus = createMemoryBus({ models: { Thing: model }, queueLengthMax, observers })
    this.#pick = pick
    const lsn = toLsn(1_000n)
    this.bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: lsn, serverLsn: lsn })
  }

  /** Something happens. */
  step(): void {
    const kind = this.#pick(12)
    if (kind < 5) this.#write()
    else if (kind === 5) this.#rollBack()
    else if (kind < 8) this.#commit()
    else if (kind < 10) this.#show()
    else this.#deliver()
  }

  /** All that is open commits, arrives and is seen. */
  settle(): void {
    while (this.#open.length > 0) this.#commit()
    while (this.#invisible.size > 0) this.#show()
    while (this.#delivered < this.#committed.length) this.#deliver()
    this.#deliver()
  }

  /** What a session sees now, and its rows in the order of their keys. */
  snapshot(): { readonly rows: readonly AnyRow[]; readonly fence: Fence } {
    const seen = this.#committed.filter(({ xid }) => !this.#invisible.has(xid))
    const xids = new Set(seen.map(({ xid }) => xid))
    return {
      rows: rowsAfter(seen),
      fence: {
        sees: ({ xid }) => xids.has(xid),
        endLsn: toLsn(BigInt(this.#lsn)),
        text: [...xids].join(),
      },
    }
  }

  /** The rows after all transactions up to the position, in commit order. */
  rowsAt(commitLsn: bigint): readonly AnyRow[] {
    return rowsAfter(this.#committed.filter((each) => BigInt(each.commitLsn) <= commitLsn))
  }

  #write(): void {
    const isNew = this.#open.length === 0 || (this.#open.length < 4 && this.#pick(2) === 0)
    const transaction = isNew ? this.#begin() : (this.#open[this.#pick(this.#open.length)] as Transaction)
    const [key, other] = [this.#pick(KEYS), this.#pick(KEYS)]
    if (!this.#lock(transaction, key)) return
    const before = this.#rowNow(key)
    const row = { id: key, group: this.#pick(GROUPS), value: this.#pick(1_000) }
    if (before === null) transaction.writes.push({ before, after: row })
    else if (this.#pick(4) === 0) transaction.writes.push({ before, after: null })
    else if (this.#pick(3) === 0 && this.#lock(transaction, other) && this.#rowNow(other) === null)
      transaction.writes.push({ before, after: { ...row, id: other } })
    else transaction.writes.push({ before, after: row })
  }

  #begin(): Transaction {
    const transaction = { xid: this.#xid++, writes: [], keys: new Set<number>(), commitLsn: 0 }
    this.#open.push(transaction)
    return transaction
  }

  /** A row is locked until its transaction is seen, or is over. */
  #lock(transaction: Transaction, key: number): boolean {
    if (this.#locked.has(key)) return false
    this.#locked.set(key, transaction)
    transaction.keys.add(key)
    return true
  }

  #unlock({ keys }: Transaction): void {
    for (const key of keys) this.#locked.delete(key)
  }

  #rowNow(key: number): AnyRow | null {
    return this.snapshot().rows.find(({ id }) => id === key) ?? null
  }

  #takeOpen(): Transaction | undefined {
    return this.#open.splice(this.#pick(Math.max(1, this.#open.length)), 1)[0]
  }

  #rollBack(): void {
    const transaction = this.#takeOpen()
    if (transaction !== undefined) this.#unlock(transaction)
  }

  #commit(): void {
    const transaction = this.#takeOpen()
    if (transaction === undefined) return
    transaction.commitLsn = this.#lsn
    this.#lsn += 1 + this.#pick(9)
    this.#committed.push(transaction)
    this.#invisible.add(transaction.xid)
  }

  #show(): void {
    const hidden = this.#committed.filter(({ xid }) => this.#invisible.has(xid))
    const transaction = hidden[this.#pick(Math.max(1, hidden.length))]
    if (transaction === undefined) return
    this.#invisible.delete(transaction.xid)
    this.#unlock(transaction)
  }

  #deliver(): void {
    const next = this.#committed[this.#delivered]
    if (next === undefined) {
      this.bus.passed(toLsn(BigInt(this.#lsn)))
      return
    }
    this.#delivered += 1
    const transaction = plainTransaction(next.commitLsn, { xid: next.xid })
    const changes = next.writes.map((write, index) => changeOf(write, { transaction, index }))
    this.bus.publish({ transaction, changes, isFinal: true, byteLength: 100 })
  }
}

function rowsAfter(transactions: readonly Transaction[]): readonly AnyRow[] {
  const rows = new Map<unknown, AnyRow>()
  for (const { writes } of transactions) {
    for (const { before, after } of writes) {
      if (before !== null) rows.delete(before['id'])
      if (after !== null) rows.set(after['id'], after)
    }
  }
  return [...rows.values()].sort((a, b) => Number(a['id']) - Number(b['id']))
}

function changeOf({ before, after }: Write, at: ChangePlace): AnyChange {
  const keyOf = (row: AnyRow | null) => (row === null ? null : { id: row['id'] })
  const isMoved = before !== null && after !== null && before['id'] !== after['id']
  return plainChange({
    ...at,
    model: 'Thing',
    action: before === null ? 'INSERT' : after === null ? 'DELETE' : 'UPDATE',
    old: before,
    new: after,
    key: keyOf(after ?? before),
    oldKey: isMoved ? keyOf(before) : null,
  })
}

interface ChangePlace {
  readonly transaction: ReturnType<typeof plainTransaction>
  readonly index: number
}
