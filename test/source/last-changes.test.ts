/**
 * Where models changed last, across restarts: processes read one WAL one after the other, write barriers that stand later in
 * it than what they had read, are killed at any moment and start again wherever their slot may stand. No cursor goes on that
 * has missed a change, and where the one before knew that nothing was missed, it does go on.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { History } from '../../src/bus/history.ts'
import { RetainedLog } from '../../src/bus/retained-log.ts'
import type { ChangePosition } from '../../src/changes/change.ts'
import { comparePositions, endBefore, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { barrierSql, parseBarrier } from '../../src/source/published/barrier-message.ts'
import {
  describeLastChanges,
  formatLastChanges,
  type LastChanges,
  parseLastChanges,
} from '../../src/source/published/last-changes.ts'
import { ConfirmCeiling } from '../../src/source/slot/confirm-ceiling.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const MODELS = ['User', 'Post', 'Tag'] as const
type Model = (typeof MODELS)[number]

/** One transaction of the WAL; its commit record begins at `at`, and it ends before `at + 10`. */
type WalRecord =
  | { readonly kind: 'write'; readonly at: number; readonly models: readonly Model[] }
  | { readonly kind: 'barrier'; readonly at: number; readonly content: Uint8Array }

const lsnOf = (at: number): Lsn => toLsn(BigInt(at))

/** One process, as far as it matters here. */
class Process {
  readonly ceiling = new ConfirmCeiling()
  readonly history: History
  readonly #drifted = new Set<Model>()
  #isComplete = false
  safe: Lsn

  constructor(confirmed: Lsn, timeline: number) {
    const start = { ...PLAIN_ORIGIN, timeline, isFirst: true, serverLsn: lsnOf(1_000_000), mayRecall: true }
    const bounds = { bytesMax: 2_000, ageMaxMs: 1e9, monotonicMs: () => 0 }
    this.history = new History(
      { ...start, floorLsn: confirmed },
      new RetainedLog(endBefore(confirmed), bounds),
    )
    this.ceiling.begin(confirmed)
    this.safe = confirmed
    this.origin = { systemId: PLAIN_ORIGIN.systemId, timeline }
  }

  readonly origin: LastChanges['origin']

  read(record: WalRecord): void {
    const { at } = record
    const transaction = plainTransaction(at)
    if (record.kind === 'write') {
      const readable = record.models.flatMap((model, index) =>
        this.#drifted.has(model) ? [] : [plainChange({ model, index, transaction })],
      )
      if (readable.length > 0)
        this.history.log.append({ transaction, changes: readable, isFinal: true, byteLength: 0 })
    } else {
      const { content } = record
      const barrier = parseBarrier({ prefix: 'rowcast', content, transaction }, 'slot')
      if (barrier === null) throw new Error('The barrier is not read.')
      this.ceiling.raise(lsnOf(at), content.length, barrier.lasts?.upTo)
      if (barrier.lasts != null && !this.#isComplete) this.history.recall(barrier.lasts)
      for (const model of barrier.cut)
        this.history.cut(model, { commitLsn: lsnOf(at), index: INDEX_AFTER_ALL })
    }
    this.safe = lsnOf(at + 10)
    this.ceiling.apply(this.safe, this.safe)
  }

  complete(): void {
    this.#isComplete = true
    this.history.endRecall()
  }

  drift(model: Model): void {
    this.#drifted.add(model)
  }

  recover(model: Model): void {
    if (!this.#drifted.delete(model)) return
    this.history.advanceTo(this.safe)
    this.history.cut(model, null)
  }

  /** What a barrier says that it writes now. */
  describe(cut: readonly Model[]): Uint8Array {
    const models = MODELS.filter((model) => !this.#drifted.has(model) && !cut.includes(model))
    const lasts = describeLastChanges(
      { lastOf: (model) => this.history.lastOf(model), recall() {}, endRecall() {} },
      { system: this.origin, safeLsn: this.safe },
      models,
    )
    const sql = barrierSql({ published: new Map(), cut, cleanFrom: lsnOf(0), lasts }, 'slot')
    return new TextEncoder().encode(/'(\{.*\})'/.exec(sql)?.[1])
  }

  /** Whether it goes on after the position; nobody subscribes to a model whose changes cannot be read. */
  accepts(model: Model, position: ChangePosition): boolean {
    return (
      !this.#drifted.has(model) && this.history.faultOf({ origin: this.origin, position }, model) === null
    )
  }
}

const model = fc.constantFrom(...MODELS)
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant('write'), fc.subarray([...MODELS], { minLength: 1 })) },
    { weight: 8, arbitrary: fc.tuple(fc.constant('read'), fc.nat(6)) },
    { weight: 3, arbitrary: fc.tuple(fc.constant('barrier'), fc.subarray([...MODELS], { maxLength: 1 })) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('drift'), model) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('recover'), model) },
    // So many confirmed positions back; or as far as it had read, which no barrier of ours allows.
    { weight: 2, arbitrary: fc.tuple(fc.constant('restart'), fc.option(fc.nat(3))) },
    // The standby lacks so much of the WAL, and the old process writes what it knows to the server that took over.
    { weight: 1, arbitrary: fc.tuple(fc.constant('promote'), fc.nat(4)) },
  ),
  { minLength: 30, maxLength: 60 },
)
type Step = typeof steps extends fc.Arbitrary<readonly (infer S)[]> ? S : never

interface Tally {
  accepted: number
  beyondLog: number
}

function run(all: readonly Step[], tally: Tally): void {
  let wal: WalRecord[] = []
  let end = 100
  let timeline = 1
  let next = 0
  let process = new Process(lsnOf(end), timeline)
  const positions = new Set<string>()
  let confirmed = [lsnOf(end)]

  const readOn = (count: number): void => {
    for (const record of wal.slice(next, next + count)) {
      process.read(record)
      confirmed.push(process.ceiling.confirmed)
      next += 1
    }
  }

  const startAt = (from: Lsn): void => {
    process = new Process(from, timeline)
    confirmed = [from]
    next = wal.filter(({ at }) => lsnOf(at) < from).length
    // What it starts with has been read once, before any cursor is too old.
    readOn(wal.length)
    process.complete()
    check()
  }

  for (const [kind, what] of all) {
    end += 10
    if (kind === 'write') {
      wal.push({ kind, at: end, models: what as readonly Model[] })
      for (const index of [0, 1, 2, INDEX_AFTER_ALL]) positions.add(`${end}-${index}`)
    } else if (kind === 'read') readOn(Number(what))
    else if (kind === 'barrier')
      wal.push({ kind, at: end, content: process.describe(what as readonly Model[]) })
    else if (kind === 'drift') process.drift(what as Model)
    else if (kind === 'recover') process.recover(what as Model)
    else if (kind === 'restart')
      startAt(
        what === null
          ? process.safe
          : (confirmed.at(-1 - Math.min(Number(what), confirmed.length - 1)) as Lsn),
      )
    else {
      const kept = wal.length - Math.min(Number(what), wal.length)
      const content = process.describe([])
      wal = wal.slice(0, kept)
      end = (wal.at(-1)?.at ?? 90) + 10
      timeline += 1
      const oldest = confirmed.find((each) => each <= lsnOf(end)) ?? lsnOf(100)
      startAt(oldest)
      // Others are faster than what it writes.
      wal.push({ kind: 'write', at: end, models: ['Tag'] }, { kind: 'barrier', at: end + 10, content })
      end += 10
    }
  }
  check()

  function check(): void {
    const read = wal.slice(0, next)
    for (const model of MODELS) {
      for (const text of positions) {
        const [at = 0, index = 0] = text.split('-').map(Number)
        const position = { commitLsn: lsnOf(at), index }
        if (position.commitLsn >= process.safe || !process.accepts(model, position)) continue
        tally.accepted += 1
        if (comparePositions(position, process.history.log.origin) < 0) tally.beyondLog += 1
        const follows = (commit: number, ordinal: number) =>
          comparePositions({ commitLsn: lsnOf(commit), index: ordinal }, position) > 0
        const wanted = read.flatMap((record) =>
          record.kind === 'write' &&
          record.models.includes(model) &&
          follows(record.at, record.models.indexOf(model))
            ? [record.at]
            : [],
        )
        const { log } = process.history
        const found: number[] = []
        for (let sequence = log.find(position); sequence < log.end; sequence += 1) {
          const part = log.read(sequence)?.part
          for (let offset = 0; part !== undefined && offset < part.changes.length; offset += 1) {
            const change = part.changes.at(offset)
            const commit = Number(part.transaction.commitLsn)
            if (change?.model === model && follows(commit, change.index)) found.push(commit)
          }
        }
        expect(found, `${model} after ${text}`).toEqual(wanted)
      }
    }
  }
}

it('lets nobody go on who has missed a change, wherever the slot stands and whoever wrote last', () => {
  const tally: Tally = { accepted: 0, beyondLog: 0 }
  fc.assert(
    fc.property(steps, (all) => run(all, tally)),
    { numRuns: 300 },
  )
  // It is not that nobody goes on.
  expect(tally.beyondLog).toBeGreaterThan(1_000)
})

it('is of use wherever the slot may stand once a barrier has come back', () => {
  const first = new Process(lsnOf(100), 1)
  const wal: WalRecord[] = [{ kind: 'write', at: 110, models: ['User'] }]
  for (const record of wal) first.read(record)
  wal.push({ kind: 'barrier', at: 130, content: first.describe([]) })
  // Another transaction commits between what the barrier says and the barrier.
  wal.splice(1, 0, { kind: 'write', at: 120, models: ['Post'] })
  for (const record of wal.slice(1)) first.read(record)
  expect(first.ceiling.confirmed).toBe(lsnOf(120))
  const next = new Process(first.ceiling.confirmed, 1)
  for (const record of wal.slice(1)) next.read(record)
  next.complete()
  const accepted = MODELS.map((each) => next.accepts(each, { commitLsn: lsnOf(101), index: 0 }))
  expect(accepted).toEqual([false, true, true])
})

it('lets nobody go on from right where a gap begins that no barrier could say', () => {
  const first = new Process(lsnOf(100), 1)
  first.read({ kind: 'write', at: 110, models: ['User', 'Tag'] })
  // Changes of Tag are missing from here on, up to now.
  first.history.cut('Tag', null)
  first.read({ kind: 'write', at: 120, models: ['Post'] })
  const barrier: WalRecord = { kind: 'barrier', at: 140, content: first.describe([]) }
  const next = new Process(first.safe, 1)
  next.read(barrier)
  next.complete()
  const before = { commitLsn: lsnOf(110), index: 1 }
  expect(first.accepts('Tag', before)).toBe(false)
  expect(next.accepts('Tag', before)).toBe(false)
  expect(next.accepts('User', before)).toBe(true)
  expect(next.accepts('Tag', { commitLsn: lsnOf(120), index: 0 })).toBe(true)
})

it('keeps nothing of models that there are not, whatever a message names', () => {
  const start = {
    ...PLAIN_ORIGIN,
    isFirst: true,
    mayRecall: true,
    floorLsn: lsnOf(100),
    serverLsn: lsnOf(100),
  }
  const bounds = { bytesMax: 1_000, ageMaxMs: 1e9, monotonicMs: () => 0 }
  const log = new RetainedLog(endBefore(lsnOf(100)), bounds)
  const history = new History(start, log, { Tag: {} })
  const last = { commitLsn: lsnOf(50), index: 0 }
  for (const model of ['Tag', 'toString', 'Foreign']) {
    history.cut(model, null)
    history.recall({ origin: PLAIN_ORIGIN, upTo: lsnOf(100), models: new Map([[model, last]]) })
  }
  const known = ['Tag', 'toString', 'Foreign'].map((model) => history.beginningOf(model) !== null)
  expect(known).toEqual([true, false, false])
  expect(['Tag', 'toString', 'Foreign'].map((model) => log.floorOf(model) === last)).toEqual([
    true,
    false,
    false,
  ])
})

it('is understood as it was written, and not at all where it was not', () => {
  const known: LastChanges = {
    ...{ origin: PLAIN_ORIGIN, upTo: toLsn(2n ** 63n) },
    models: new Map([['Tag', { commitLsn: toLsn(2n ** 62n), index: INDEX_AFTER_ALL }]]),
  }
  expect(parseLastChanges(JSON.parse(JSON.stringify(formatLastChanges(known))))).toEqual(known)
  fc.assert(
    fc.property(fc.anything(), (raw) => {
      const parsed = parseLastChanges(raw)
      if (parsed !== null) expect(typeof parsed.upTo).toBe('bigint')
    }),
  )
})
