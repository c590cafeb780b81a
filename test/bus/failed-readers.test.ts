/** What cannot be read ends those who were to read it, and what has ended is not read for any more. */
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery, OlderLog } from '../../src/bus/bus.ts'
import { createChangeFilter, parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { NODE_TIMERS, type SliceTimers } from '../../src/bus/time-slices.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { isRowcastError, RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { failingOlderLog, partUnreadAt } from '../support/unread-part.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
const BEFORE_ALL = formatCursor(PLAIN_ORIGIN, toLsn(5n), 0)

function partOf(commit: number, count: number, model = 'User', isFinal = true): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = Array.from({ length: count }, (_, index) =>
    plainChange({ model, transaction, index, action: 'INSERT', key: { id: commit * 100 + index } }),
  )
  return { transaction, changes, isFinal, byteLength: 0 }
}

const poisoned = (part: TransactionPart, offset: number): TransactionPart =>
  partUnreadAt(part, offset, new Error('These bytes are none.'))

const cursorAt = (commit: number, index: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), index)

/** Reads to the end: indexes of the changes, and the end. */
async function readAll(subscription: BusSubscription) {
  const indexes: unknown[] = []
  for (;;) {
    const next = await subscription.next().catch((error: unknown) => error)
    if (isRowcastError(next)) return { indexes, code: next.code, ...next.details }
    if (next instanceof Error) return { indexes, code: next.message }
    indexes.push((next as IteratorYieldResult<Delivery>).value.change.index)
  }
}

/** What is older than the log: this part alone; after it, the broker fails. */
const olderWith = (part: TransactionPart): OlderLog =>
  failingOlderLog([part], () => new Error('No route to the broker.'))

const UNDELIVERABLE = { code: 'CHANGE_UNDELIVERABLE', cursor: cursorAt(10, 1), indexes: [0] }

it.each(['live', 'log'])(
  'a change that cannot be decoded ends who gets it with its cursor: %s',
  async (way) => {
    const bus = createMemoryBus()
    bus.open(START)
    const live = way === 'live' ? bus.subscribe({ model: 'User' }) : null
    const later = bus.subscribe({ model: 'Post' })
    bus.publish(poisoned(partOf(10, 3), 1))
    bus.publish(partOf(20, 2, 'Post'))
    const reading = live ?? bus.subscribe({ model: 'User', after: BEFORE_ALL })
    for (const other of [later, bus.subscribe({ model: 'Post', after: BEFORE_ALL })]) {
      const others = [await other.next(), await other.next()]
      expect(others.map(({ value }) => value?.change.index)).toEqual([0, 1])
    }
    expect(await readAll(reading)).toEqual(UNDELIVERABLE)
    expect(bus.subscriptionCounts.get('User')).toBe(0)
    const resumed = bus.subscribe({ model: 'User', after: UNDELIVERABLE.cursor })
    expect((await resumed.next()).value?.change.index).toBe(2)
  },
)

it('one that is older than the log, too; and where the broker fails, the end has the cursor of what came', async () => {
  const bus = createMemoryBus({ older: olderWith(poisoned(partOf(10, 3), 1)) })
  bus.open({ ...START, floorLsn: toLsn(100n), serverLsn: toLsn(100n) })
  expect(await readAll(bus.subscribe({ model: 'User', after: BEFORE_ALL }))).toEqual(UNDELIVERABLE)
  const resumed = bus.subscribe({ model: 'User', after: UNDELIVERABLE.cursor })
  expect(await readAll(resumed)).toMatchObject({
    indexes: [2],
    code: 'MODEL_UNAVAILABLE',
    cursor: cursorAt(10, 2),
    retryAfterMs: expect.any(Number),
  })
})

it('where the broker fails, a change that may be the last of its transaction comes again, and is said to be', async () => {
  const bus = createMemoryBus({ older: olderWith(partOf(10, 3, 'User', false)) })
  bus.open({ ...START, floorLsn: toLsn(100n), serverLsn: toLsn(100n) })
  expect(await readAll(bus.subscribe({ model: 'User', after: BEFORE_ALL }))).toMatchObject({
    indexes: [0, 1],
    code: 'MODEL_UNAVAILABLE',
    cursor: cursorAt(10, 1),
  })
})

it('a change that is held back of an earlier transaction goes out as its last, and is lost to no end', async () => {
  const bus = createMemoryBus({ queueLengthMax: 1 })
  bus.open(START)
  const [roomy, full] = [bus.subscribe({ model: 'User' }), bus.subscribe({ model: 'User' })]
  bus.publish(partOf(10, 1, 'User', false))
  const first = roomy.next()
  // Of another transaction, though the end of the first has not come.
  bus.publish(poisoned(partOf(20, 1), 0))
  expect((await first).value).toMatchObject({ isLastOfTransaction: true, change: { index: 0 } })
  for (const [each, indexes] of [[roomy, []] as const, [full, [0]] as const])
    expect(await readAll(each)).toEqual({ indexes, code: 'CHANGE_UNDELIVERABLE', cursor: cursorAt(20, 0) })
})

it('whose change has no room before one that cannot be read has both from the log', async () => {
  const bus = createMemoryBus({ queueLengthMax: 1 })
  bus.open(START)
  const slow = bus.subscribe({ model: 'User' })
  bus.publish(poisoned(partOf(10, 3), 2))
  expect(await readAll(slow)).toEqual({
    ...{ indexes: [0, 1], code: 'CHANGE_UNDELIVERABLE', cursor: cursorAt(10, 2) },
  })
})

it('one that begins behind a change that cannot be read does not end with it', async () => {
  const bus = createMemoryBus()
  bus.open({ ...START, serverLsn: toLsn(15n) })
  const live = bus.subscribe({ model: 'User' })
  bus.publish(poisoned(partOf(10, 2), 1))
  bus.publish(partOf(20, 1))
  expect((await live.next()).value?.change.cursor).toBe(cursorAt(20, 0))
})

it('where not even models can be read, who reads the log ends where it is', async () => {
  const bus = createMemoryBus()
  bus.open(START)
  bus.publish(partOf(10, 2))
  const broken = partOf(20, 2)
  let isBroken = false
  bus.publish({
    ...broken,
    changes: {
      length: 2,
      at: (at) => broken.changes.at(at),
      modelAt() {
        if (isBroken) throw new Error('These bytes are none.')
        return 'User'
      },
      [Symbol.iterator]: () => broken.changes[Symbol.iterator](),
    },
  })
  isBroken = true
  const end = await readAll(bus.subscribe({ model: 'User', after: BEFORE_ALL }))
  expect(end).toMatchObject({ indexes: [0, 1], code: 'MODEL_UNAVAILABLE', cursor: cursorAt(10, 1) })
})

it.each(['live', 'log'])('a consumer that throws ends itself alone: %s', async (way) => {
  const logged: unknown[] = []
  const guard = createGuard({ error: (message) => void logged.push(message) })
  const bus = createMemoryBus({ guard })
  bus.open(START)
  const after = way === 'log' ? BEFORE_ALL : undefined
  if (way === 'log') bus.publish(partOf(10, 3))
  const [failing, beside] = [bus.subscribe({ model: 'User', after }), bus.subscribe({ model: 'User', after })]
  const { pull } = failing
  if (pull === null || pull === undefined) throw new Error('It has none.')
  pull.reader = {
    onReadable() {
      throw new Error('of a socket')
    },
  }
  expect(pull.take()).toBeUndefined()
  const first = beside.next()
  if (way === 'live') bus.publish(partOf(10, 3))
  expect((await first).value?.change.index).toBe(0)
  for (const index of [1, 2]) expect((await beside.next()).value?.change.index).toBe(index)
  expect(pull.isEnded).toBe(true)
  const { indexes, ...end } = await readAll(failing)
  expect(end).toMatchObject({ code: 'MODEL_UNAVAILABLE', cursor: cursorAt(10, indexes.length - 1) })
  // It threw twice: of the change, and of the end.
  expect(logged).toHaveLength(1)
})

it('an anchor that cannot be looked up ends those who ask about the value, and no others', async () => {
  const fields = [buildField('n', 'Int'), buildField('m', 'Int')]
  const models = { User: buildModel(fields, { name: 'User' }) }
  const catalog: ModelCatalog = { formatVersion: 1, models, enums: {}, joinTables: [] }
  const bus = createMemoryBus({ models })
  bus.open(START)
  const on = (field: string) => parseChangeFilter(models.User, catalog, { where: { [field]: { equals: 1 } } })
  const asking = bus.subscribe({ model: 'User', filter: on('n') })
  const others = [bus.subscribe({ model: 'User', filter: on('m') }), bus.subscribe({ model: 'User' })]
  const transaction = plainTransaction(10)
  const image = {
    get n(): number {
      throw new Error('These bytes are none.')
    },
    m: 1,
  }
  const change = plainChange({ transaction, action: 'INSERT', new: image })
  bus.publish({ transaction, changes: [change], isFinal: true, byteLength: 0 })
  expect(await readAll(asking)).toMatchObject({ code: 'CHANGE_UNDELIVERABLE', cursor: change.cursor })
  for (const each of others) expect((await each.next()).value?.change.cursor).toBe(change.cursor)
})

it('a filter that throws ends its own subscription with the cursor of the change', async () => {
  const bus = createMemoryBus({ models: { User: buildModel([buildField('n', 'Int')], { name: 'User' }) } })
  bus.open(START)
  const test = () => {
    throw new Error('No value.')
  }
  const filter = createChangeFilter({
    new: { kind: 'test', field: 'n', takesNull: true, preparation: null, cost: 1, test },
  })
  const filtered = bus.subscribe({ model: 'User', filter })
  const all = bus.subscribe({ model: 'User' })
  const transaction = plainTransaction(10)
  const change = plainChange({ transaction, action: 'INSERT', new: { n: 1 } })
  bus.publish({ transaction, changes: [change], isFinal: true, byteLength: 0 })
  expect(await readAll(filtered)).toMatchObject({ code: 'CHANGE_UNDELIVERABLE', cursor: change.cursor })
  expect((await all.next()).value?.change.cursor).toBe(change.cursor)
})

it('one that has ended in the middle of a transaction, and loses what waited for it, is not read for', async () => {
  let nowMs = 0
  let readings = 0
  const timers: SliceTimers = {
    soon: () => {
      readings += 1
    },
    later: () => undefined,
    nowMs: () => nowMs,
  }
  const bus = createMemoryBus({ timers, heldBytesMax: 1_000, queueBytesMax: 10_000 })
  bus.open(START)
  const abort = new AbortController()
  const ended = bus.subscribe({ model: 'User', signal: abort.signal })
  // Two wait in its queue, and the third may be the last of its transaction.
  bus.publish(partOf(10, 3, 'User', false))
  // What a turn has offered is counted until the next one: nobody is read for yet.
  expect(readings).toBe(1)
  readings = 0
  abort.abort()
  nowMs = 1_000
  bus.subscribe({ model: 'Post' })
  bus.publish(partOf(20, 5, 'Post', false))
  expect(ended.pull?.take()).toBeUndefined()
  expect(readings).toBe(0)
  await expect(ended.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW' })
})

it('a gap that a consumer brings about while it is given changes ends the reading, too', async () => {
  let slices = 0
  const soon: SliceTimers['soon'] = (run) => {
    slices += 1
    setImmediate(run)
  }
  const bus = createMemoryBus({ timers: { ...NODE_TIMERS, soon } })
  bus.open(START)
  bus.publish(partOf(10, 50))
  const all = [1, 2, 3].map(() => bus.subscribe({ model: 'User', after: BEFORE_ALL }).pull)
  for (const pull of all) expect(pull?.take()).toBeUndefined()
  const [first] = all
  let given = 0
  if (first)
    first.reader = {
      onReadable() {
        given += 1
        bus.gap(new RowcastError('RESYNC_REQUIRED', 'Changes are missing.'))
      },
    }
  while (given === 0) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  const slicesBefore = slices
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(slices).toBe(slicesBefore)
  expect(all.map((pull) => pull?.isEnded)).toEqual([true, true, true])
})
