import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RelationRegistry } from '../../src/catalog/relation-registry.ts'
import type { RowReader } from '../../src/catalog/row-reader.ts'
import { createTransactionAssembler, type TransactionAssembler } from '../../src/changes/assembler.ts'
import type { AssemblyEvents } from '../../src/changes/assembly-event.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import type { EmittedMessage } from '../../src/changes/emitted-message.ts'
import { RowcastError } from '../../src/errors.ts'
import type { Message } from '../../src/pgoutput/messages.ts'
import type { Tuple } from '../../src/pgoutput/tuple.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'

const USERS = 1
const UNKNOWN = 99
/** A row without columns: the number of them, and nothing after it. */
const tuple: Tuple = { bytes: new Uint8Array(2), start: 2, end: 2, columnCount: 0 }

const reader = { model: { name: 'User' } } as RowReader
const registry = {
  readerOf: (oid: number) => (oid === USERS ? reader : null),
  noteRow: () => false,
  modelsBehind: () => [],
  noteTruncate() {},
  emptiesModel: () => true,
  partialRowsOf: () => null,
  faults: new Map(),
  update() {},
  clear() {},
} as unknown as RelationRegistry

const begin = (lsn: number): Message => ({
  kind: 'begin',
  finalLsn: toLsn(BigInt(lsn)),
  committedAtMicros: 1_000_000n,
  xid: lsn,
})
const commit = (lsn: number): Message => ({
  kind: 'commit',
  commitLsn: toLsn(BigInt(lsn)),
  endLsn: toLsn(BigInt(lsn + 1)),
  committedAtMicros: 1_000_000n,
})
const insert = (relationOid = USERS): Message => ({
  kind: 'insert',
  streamXid: null,
  relationOid,
  oldKind: 'none',
  old: null,
  new: tuple,
})

/** What came of a message, all of which is handed on. */
function takeAll(assembler: TransactionAssembler, message: Message): AssemblyEvents {
  const events = assembler.accept(message, 10)
  for (const event of events) assembler.handedOn(event)
  return events
}

function collect(options?: { partChangesMax?: number; partBytesMax?: number }) {
  const parts: TransactionPart[] = []
  const commits: Lsn[] = []
  const assembler = createTransactionAssembler(registry, options)
  const feed = (...messages: Message[]) => {
    for (const event of messages.flatMap((message) => takeAll(assembler, message))) {
      if (event.kind === 'part') parts.push(event.part)
      if (event.kind === 'commit') commits.push(event.endLsn)
    }
  }
  const seen = () => parts.flatMap((part) => [...part.changes].map((c) => [c.transaction.xid, c.index]))
  return { parts, commits, assembler, feed, seen }
}

describe('transaction assembler', () => {
  it('hands a transaction over as one part, at its commit and not before', () => {
    const { parts, commits, feed } = collect()
    feed(begin(100), insert(), insert())
    expect(parts).toEqual([])
    feed(commit(100))
    expect(parts).toHaveLength(1)
    expect(parts[0]).toMatchObject({
      isFinal: true,
      byteLength: 20,
      transaction: { xid: 100, commitLsn: 100n },
    })
    expect(parts[0]?.transaction.committedAt).toEqual(new Date('2000-01-01T00:00:01Z'))
    expect(commits).toEqual([101n])
  })

  it('gives all transactions one shape: one getter of the time for all, which none can overwrite', () => {
    const { parts, feed } = collect()
    feed(begin(100), insert(), commit(100), begin(102), insert(), commit(102))
    const [first, second] = parts.map(({ transaction }) =>
      Object.getOwnPropertyDescriptor(transaction, 'committedAt'),
    )
    expect(first?.get).toBe(second?.get)
    expect({ ...parts[0]?.transaction }).toHaveProperty('committedAt')
    expect(Object.isFrozen(parts[0]?.transaction)).toBe(true)
  })

  it('numbers changes by their index in the transaction, tables of no model included', () => {
    const { feed, seen } = collect()
    feed(begin(1), insert(UNKNOWN), insert(), insert(UNKNOWN), insert(), commit(1))
    expect(seen()).toEqual([
      [1, 1],
      [1, 3],
    ])
  })

  it('publishes nothing for a transaction without changes of ours, but lets it be confirmed', () => {
    const { parts, commits, feed } = collect()
    feed(begin(1), insert(UNKNOWN), commit(1))
    expect(parts).toEqual([])
    expect(commits).toEqual([2n])
  })

  it('makes one TRUNCATE change for each model among the tables', () => {
    const { parts, feed } = collect()
    feed(
      begin(1),
      {
        kind: 'truncate',
        streamXid: null,
        relationOids: [UNKNOWN, USERS],
        isCascade: true,
        isRestartIdentity: false,
      },
      commit(1),
    )
    expect([...(parts[0]?.changes ?? [])]).toMatchObject([
      { action: 'TRUNCATE', model: 'User', index: 1, old: null, new: null, key: null },
    ])
  })

  it('doubts a model of which some tables are emptied behind what leaves', () => {
    const [posts, inPart] = [2, { ...registry, emptiesModel: (model: string) => model !== 'User' }]
    const postReader = { model: { name: 'Post' } } as RowReader
    const readerOf = (oid: number) => (oid === posts ? postReader : reader)
    const assembler = createTransactionAssembler({ ...inPart, readerOf } as unknown as RelationRegistry, {
      partChangesMax: 2,
    })
    for (const message of [begin(1), insert()]) takeAll(assembler, message)
    const events = takeAll(assembler, {
      ...{ kind: 'truncate', streamXid: null, relationOids: [USERS, posts] },
      ...{ isCascade: false, isRestartIdentity: false },
    })
    expect(events.map(({ kind }) => kind)).toEqual(['part', 'doubt'])
  })

  it('cuts a huge transaction into bounded parts, of which only the last is final', () => {
    const { parts, feed, seen } = collect({ partChangesMax: 3 })
    feed(begin(1), ...Array.from({ length: 7 }, () => insert()), commit(1))
    expect(parts.map((p) => [p.changes.length, p.isFinal])).toEqual([
      [3, false],
      [3, false],
      [1, true],
    ])
    expect(seen().map(([, index]) => index)).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('ends a transaction that left completely in parts with an empty final part', () => {
    const { parts, feed } = collect({ partBytesMax: 20 })
    feed(begin(1), insert(), insert(), commit(1))
    expect(parts.map((p) => [p.changes.length, p.isFinal])).toEqual([
      [2, false],
      [0, true],
    ])
  })

  it('refuses a row outside a transaction', () => {
    expect(() => collect().feed(insert())).toThrow(/\[BUG\].*outside a transaction/)
  })

  it('delivers each change once, in order, however often the connection breaks', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.nat(80), { maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        (all, cuts, max) => {
          const { assembler, feed, seen, commits } = collect({ partChangesMax: max })
          const transactions = all.map((size, t) => [
            begin((t + 1) * 10),
            ...Array.from({ length: size }, () => insert()),
            commit((t + 1) * 10),
          ])
          // PostgreSQL starts again after the last confirmed commit, as our own start position says.
          for (const cut of cuts) {
            feed(...transactions.slice(commits.length).flat().slice(0, cut))
            assembler.reset()
          }
          feed(...transactions.slice(commits.length).flat())
          const expected = all.flatMap((size, t) => Array.from({ length: size }, (_, i) => [(t + 1) * 10, i]))
          expect(seen()).toEqual(expected)
          expect(commits).toEqual(all.map((_, t) => BigInt((t + 1) * 10 + 1)))
        },
      ),
    )
  })
})

describe('what was not handed on', () => {
  it('comes again with the stream, and nothing else does', () => {
    const assembler = createTransactionAssembler(registry, { partChangesMax: 2 })
    const feed = (fails: number, ...messages: Message[]): readonly number[] => {
      const indexes: number[] = []
      for (const event of messages.flatMap((message) => assembler.accept(message, 10))) {
        if (event.kind === 'part' && indexes.length === fails) break
        if (event.kind === 'part') indexes.push(...[...event.part.changes].map(({ index }) => index))
        assembler.handedOn(event)
      }
      return indexes
    }
    const transaction = [begin(1), ...Array.from({ length: 5 }, () => insert()), commit(1)]
    expect(feed(2, ...transaction)).toEqual([0, 1])
    assembler.reset()
    expect(feed(Number.POSITIVE_INFINITY, ...transaction)).toEqual([2, 3, 4])
  })
})

describe('messages of applications', () => {
  const message = (lsn: number, isTransactional: boolean, content = 'x'): Message => ({
    kind: 'message',
    streamXid: null,
    isTransactional,
    lsn: toLsn(BigInt(lsn)),
    prefix: 'app',
    content: new TextEncoder().encode(content),
  })

  function listen(options?: { partChangesMax?: number }) {
    const heard: EmittedMessage[] = []
    const order: string[] = []
    const assembler = createTransactionAssembler(registry, options)
    const feed = (...messages: Message[]) => {
      for (const event of messages.flatMap((each) => takeAll(assembler, each))) {
        if (event.kind === 'part')
          order.push(...[...event.part.changes].map((change) => `change ${change.index}`))
        if (event.kind === 'commit') order.push('commit')
        if (event.kind !== 'emitted') continue
        heard.push(event.message)
        order.push(`message before ${event.message.index}`)
      }
    }
    return { heard, order, assembler, feed }
  }

  it('of a transaction wait for its commit, and say where among its changes they stand', () => {
    const { heard, order, feed } = listen()
    feed(begin(10), message(5, true), insert(), message(6, true))
    expect(heard).toEqual([])
    feed(commit(10))
    expect(order).toEqual(['change 0', 'message before 0', 'message before 1', 'commit'])
    expect(heard.map((each) => [each.lsn, each.transaction?.xid, each.index])).toEqual([
      [5n, 10, 0],
      [6n, 10, 1],
    ])
  })

  it('outside of one come at once, and hold no view on the bytes they came in', () => {
    const { heard, feed } = listen()
    const view = Buffer.from('abc')
    feed({ ...message(7, false), content: view } as Message)
    view.fill(0)
    expect(heard).toMatchObject([{ transaction: null, index: null, lsn: 7n }])
    expect(new TextDecoder().decode(heard[0]?.content)).toBe('abc')
  })

  it('are heard once however often PostgreSQL sends them, and do not pile up', () => {
    const { heard, assembler, feed } = listen({ partChangesMax: 2 })
    feed(message(1, false), begin(10), message(2, true), message(3, true), message(4, true))
    expect(heard.map((each) => each.lsn)).toEqual([1n, 2n, 3n])
    assembler.reset()
    feed(message(1, false), begin(10), message(2, true), message(3, true), message(4, true), commit(10))
    expect(heard.map((each) => each.lsn)).toEqual([1n, 2n, 3n, 4n])
  })

  it('of another timeline are new where that is no longer the one before, whatever their positions', () => {
    const { heard, assembler, feed } = listen()
    const epoch = { systemId: '1', timeline: 1 }
    assembler.reset(epoch)
    feed(message(90, false), message(200, false), begin(210), message(205, true), commit(210))
    assembler.reset({ ...epoch, timeline: 2 }, toLsn(100n))
    feed(message(90, false), message(150, false), begin(210), message(205, true), commit(210))
    expect(heard.map((each) => each.lsn)).toEqual([90n, 200n, 205n, 150n, 205n])
  })
})

it('what came before a model can be read again has left by then: who ends cursors there ends all of them', () => {
  const faults = new Map([['User', new RowcastError('CATALOG_DRIFT', 'It does not fit.')]])
  const events: unknown[] = []
  const assembler = createTransactionAssembler({
    ...registry,
    faults,
    readerOf: () => reader,
    update() {
      faults.clear()
      return { model: { name: 'User' }, drift: null }
    },
  } as unknown as RelationRegistry)
  const relation = { kind: 'relation', oid: USERS } as Message
  for (const message of [begin(100), insert(), insert(), relation, insert(), commit(100)])
    for (const event of takeAll(assembler, message)) {
      if (event.kind === 'recovery') events.push(event.model)
      if (event.kind !== 'part') continue
      const { changes, isFinal } = event.part
      events.push([[...changes].map(({ index }) => index), isFinal])
    }
  expect(events).toEqual([[[0, 1], false], 'User', [[2], true]])
})
