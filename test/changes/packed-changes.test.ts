/** What a list of packed changes gives back is what was packed, for as long as it may be read. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RowReader } from '../../src/catalog/row-reader.ts'
import type { RowMessage } from '../../src/catalog/writing-tables.ts'
import { RecycledSlabs } from '../../src/changes/byte-slabs.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { ChangeKeeper } from '../../src/changes/change-keeper.ts'
import { ChangePacker } from '../../src/changes/change-packer.ts'
import type { RowAction } from '../../src/changes/change-record.ts'
import type { PackedChanges } from '../../src/changes/packed-changes.ts'
import { RowChange } from '../../src/changes/row-change.ts'
import { TruncateTableChange } from '../../src/changes/truncate-change.ts'
import type { Tuple } from '../../src/pgoutput/tuple.ts'
import { plainTransaction } from '../support/plain-change.ts'

const transaction = plainTransaction(7)

const digest = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex')

/** A reader whose rows show what bytes they were read from. */
function bytesReader(name: string): RowReader {
  const readRow = ({ bytes, start, end, columnCount }: Tuple) => ({
    sha1: digest(bytes.subarray(start, end)),
    columnCount,
  })
  return {
    model: { name, primaryKey: ['id'] },
    readRow,
    readNew: (tuple: Tuple) => ({ row: readRow(tuple), unavailable: [] }),
    readKey: readRow,
    changedFields: (old: Tuple, now: Tuple) => [readRow(old).sha1, readRow(now).sha1],
    missingFields: [],
    isKeyLogged: true,
  } as unknown as RowReader
}

const READERS = [bytesReader('User'), bytesReader('Post')]

/** A tuple as it lies in a message: after the number of its columns. */
function tupleOf(payload: Uint8Array, columnCount: number, before: number): Tuple {
  const bytes = Buffer.alloc(before + 2 + payload.length, 0xee)
  bytes.writeUInt16BE(columnCount, before)
  bytes.set(payload, before + 2)
  return { bytes, start: before + 2, end: bytes.length, columnCount }
}

/** Both tuples of an update lie in one message, a marker and a number of columns between them. */
function joinTuples(old: Uint8Array, now: Uint8Array, columnCount: number): { old: Tuple; new: Tuple } {
  const first = tupleOf(old, columnCount, 6)
  const second = tupleOf(now, columnCount, 1)
  const bytes = Buffer.concat([first.bytes, second.bytes])
  const shift = first.bytes.length
  return {
    old: { ...first, bytes },
    new: { bytes, start: second.start + shift, end: second.end + shift, columnCount },
  }
}

interface Packed {
  readonly reader: RowReader
  readonly index: number
  /** Null for a truncation. */
  readonly message: RowMessage | null
  readonly reported: RowAction
}

const payload = fc.oneof(
  { weight: 20, arbitrary: fc.uint8Array({ maxLength: 400 }) },
  { weight: 1, arbitrary: fc.nat(100_000).map((length) => new Uint8Array(length).fill(length)) },
)

const rowMessage: fc.Arbitrary<{ message: RowMessage; reported: RowAction }> = fc
  .record({
    kind: fc.constantFrom('insert', 'update', 'delete'),
    oldKind: fc.constantFrom('key', 'full', 'none'),
    old: payload,
    now: payload,
    columnCount: fc.nat(1_600),
    isReportedOtherwise: fc.boolean(),
  })
  .map(({ kind, oldKind, old, now, columnCount, isReportedOtherwise }) => {
    const base = { streamXid: null, relationOid: 1 }
    const after = tupleOf(now, columnCount, 6)
    const before = tupleOf(old, columnCount, 6)
    if (kind === 'insert')
      return { reported: 'INSERT', message: { kind, ...base, oldKind: 'none', old: null, new: after } }
    if (kind === 'delete') {
      const known = oldKind === 'none' ? 'key' : oldKind
      return { reported: 'DELETE', message: { kind, ...base, oldKind: known, old: before, new: null } }
    }
    if (oldKind === 'none')
      return { reported: 'UPDATE', message: { kind: 'update', ...base, oldKind, old: null, new: after } }
    const reported =
      isReportedOtherwise && oldKind === 'full' ? (columnCount % 2 === 0 ? 'DELETE' : 'INSERT') : 'UPDATE'
    return { reported, message: { kind: 'update', ...base, oldKind, ...joinTuples(old, now, columnCount) } }
  })

const change: fc.Arbitrary<Packed> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .tuple(fc.constantFrom(...READERS), fc.nat(1e6), rowMessage)
      .map(([reader, index, row]) => ({ reader, index, ...row })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...READERS), fc.nat(1e6))
      .map(([reader, index]) => ({ reader, index, message: null, reported: 'UPDATE' as const })),
  },
)

/** The change as it would be without being packed. */
function plain({ reader, index, message, reported }: Packed): AnyChange {
  if (message === null) return new TruncateTableChange(transaction, index, reader.model.name)
  const { kind, oldKind, old, new: now } = message
  const done = ({ insert: 'INSERT', update: 'UPDATE', delete: 'DELETE' } as const)[kind]
  const raw = new RowChange(transaction, index, { action: done, reader, oldKind, old, new: now })
  if (reported === done) return raw
  const images =
    reported === 'DELETE'
      ? { action: reported, reader, oldKind, old, new: null }
      : { action: reported, reader, oldKind: 'none' as const, old: null, new: now }
  return new RowChange(transaction, index, images, raw)
}

/** All that a subscriber sees of a change. */
function show({ model, action, index, cursor, old, new: now, key, changed, operation }: AnyChange) {
  const { action: done, old: oldDone, new: newDone } = operation
  return { model, action, index, cursor, old, now, key, changed, done, oldDone, newDone }
}

function pack(packer: ChangePacker, changes: readonly Packed[]): PackedChanges {
  for (const { reader, index, message, reported } of changes) {
    if (message === null) packer.addTruncate(index, reader)
    else packer.add(index, reader, message, reported)
  }
  return packer.finish(transaction)
}

describe('packed changes', () => {
  it('are what was packed, part after part, also where a part was begun and given up', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.array(change, { maxLength: 12 }), fc.boolean())), (parts) => {
        const packer = new ChangePacker()
        const lists = parts.map(([changes, isGivenUpBefore]) => {
          if (isGivenUpBefore) {
            for (const { reader, index, message, reported } of changes)
              if (message !== null) packer.add(index, reader, message, reported)
            packer.discard()
          }
          return pack(packer, changes)
        })
        for (const [place, list] of lists.entries()) {
          const expected = parts[place]?.[0] ?? []
          expect(list.length).toBe(expected.length)
          expect([...list].map(show)).toEqual(expected.map((each) => show(plain(each))))
          expect(expected.map((_, at) => list.modelAt(at))).toEqual(
            expected.map((each) => each.reader.model.name),
          )
          expect(list.at(expected.length)).toBeUndefined()
          expect(list.at(-1)).toBeUndefined()
        }
      }),
    )
  })

  it('need the bytes they were packed from no longer', () => {
    const message: RowMessage = {
      ...{ kind: 'insert', streamXid: null, relationOid: 1, oldKind: 'none', old: null },
      new: tupleOf(Uint8Array.of(1, 2, 3), 1, 6),
    }
    const packer = new ChangePacker()
    packer.add(0, READERS[0] as RowReader, message, 'INSERT')
    message.new.bytes.fill(0)
    expect(packer.finish(transaction).at(0)?.new).toMatchObject({ sha1: digest(Uint8Array.of(1, 2, 3)) })
  })

  it('hold more than one block of records', () => {
    const message = (n: number): Packed => ({
      ...{ reader: READERS[0] as RowReader, index: n, reported: 'INSERT' },
      message: {
        ...{ kind: 'insert', streamXid: null, relationOid: 1, oldKind: 'none', old: null },
        new: tupleOf(Uint8Array.of(n >> 8, n & 255), 1, 6),
      },
    })
    const packer = new ChangePacker()
    const first = pack(packer, [message(0)])
    const changes = Array.from({ length: 5_000 }, (_, n) => message(n))
    const list = pack(packer, changes)
    const last = pack(packer, [message(1)])
    expect([...first, ...list, ...last].map(({ index }) => index)).toEqual([
      0,
      ...changes.map((_, n) => n),
      1,
    ])
    expect(list.at(4_321)?.new).toMatchObject({ sha1: digest(Uint8Array.of(0x10, 0xe1)) })
  })
})

describe('change keeper', () => {
  it('keeps changes while they are kept, and what was taken from it for ever', () => {
    const parts = fc.array(fc.array(change, { maxLength: 8 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 5 }), (all, keptMax) => {
        const keeper = new ChangeKeeper()
        const packer = new ChangePacker()
        const kept: { part: ReturnType<ChangeKeeper['keep']>; changes: readonly Packed[] }[] = []
        const taken: { change: AnyChange; packed: Packed }[] = []
        for (const changes of all) {
          const list = pack(packer, changes)
          const part = keeper.keep({ transaction, changes: list, isFinal: true, byteLength: 0 })
          kept.push({ part, changes })
          if (kept.length > keptMax) keeper.release((kept.shift() as (typeof kept)[number]).part)
          for (const { part, changes } of kept) {
            expect([...part.changes].map(show)).toEqual(changes.map((each) => show(plain(each))))
          }
          // Undecoded: its bytes must be its own.
          const change = part.changes.at(0)
          if (change !== undefined) taken.push({ change, packed: changes[0] as Packed })
        }
        for (const { change, packed } of taken) expect(show(change)).toEqual(show(plain(packed)))
      }),
      { numRuns: 50 },
    )
  })

  it('gives changes their own bytes: those of the list are used again', () => {
    const keeper = new ChangeKeeper()
    const packer = new ChangePacker()
    const keepRow = (value: number) => {
      const message: RowMessage = {
        ...{ kind: 'insert', streamXid: null, relationOid: 1, oldKind: 'none', old: null },
        new: tupleOf(new Uint8Array(40_000).fill(value), 1, 6),
      }
      const changes = pack(packer, [
        { reader: READERS[0] as RowReader, index: value, message, reported: 'INSERT' },
      ])
      return keeper.keep({ transaction, changes, isFinal: true, byteLength: 0 })
    }
    const first = keepRow(1)
    const taken = first.changes.at(0)
    keeper.release(first)
    for (let value = 2; value < 60; value += 1) keeper.release(keepRow(value))
    const ones = digest(new Uint8Array(40_000).fill(1))
    expect(taken?.new).toMatchObject({ sha1: ones })
    expect(first.changes.at(0)?.new).not.toMatchObject({ sha1: ones })
  })

  it('leaves other lists alone', () => {
    const part = { transaction, changes: [], isFinal: true, byteLength: 0 }
    const keeper = new ChangeKeeper()
    expect(keeper.keep(part)).toBe(part)
    keeper.release(part)
  })
})

describe('recycled slabs', () => {
  it('are used again once they are released, and not before', () => {
    const slabs = new RecycledSlabs()
    const bytes = new Uint8Array(600_000)
    const seen = Array.from({ length: 4 }, () => {
      slabs.keep(bytes, 0, bytes.length)
      return slabs.slab
    })
    expect(new Set(seen).size).toBe(4)
    slabs.releaseBefore(seen[2] as Buffer)
    const later = Array.from({ length: 3 }, () => {
      slabs.keep(bytes, 0, bytes.length)
      return slabs.slab
    })
    expect(new Set(later.slice(0, 2))).toEqual(new Set(seen.slice(0, 2)))
    expect(seen.includes(later[2] as Buffer)).toBe(false)
  })
})
