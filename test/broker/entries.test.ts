/** From PostgreSQL's messages to entries and back: nothing lost, nothing twice, whoever cut them where. */
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { BuiltEntry } from '../../src/broker/built-entry.ts'
import { EntryBuilder } from '../../src/broker/entry-builder.ts'
import { decodeEntry, EntryEncoder, readRecords } from '../../src/broker/entry-codec.ts'
import { EntryFeeder } from '../../src/broker/entry-feeder.ts'
import { compareEntryIds, type EntryId, formatEntryId, parseEntryId } from '../../src/broker/entry-id.ts'
import { toRawEntries } from '../../src/broker/redis/redis-stream-reply.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { METADATA_PREFIX } from '../../src/changes/transaction-metadata.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import type { TupleColumn } from '../../src/pgoutput/tuple.ts'
import { LSN_ZERO, toLsn } from '../../src/wire/lsn.ts'
import { encodeMessage, type MessageSpec, text } from '../support/message-builder.ts'

const TAGS = 16_400
const OTHERS = 16_500
const PARTITION = 16_600
const STREAM = 'rowcast:{slot}:one:changes'
/** An entry of the release before, of version 4. */
const PREVIOUS_VERSION = [
  '0401000100000000000000040000000300000007000000000000000800000000000000090000000a0000000b00000010db04',
  'a4eb0200000100000003726f77030000000700112233aabbccdd',
].join('')
const ZERO: EntryId = { lsn: LSN_ZERO, sequence: 0 }

const newRegistry = () => createRelationRegistry({ catalog, models: [catalog.models.Tag] })

const relation = (oid: number, table: string, isFull = true): MessageSpec => ({
  ...{ kind: 'relation', streamXid: null, oid, schema: 'public', table },
  replicaIdentity: isFull ? 'full' : 'default',
  columns: [
    { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
    { name: 'name', typeOid: 1043, typeModifier: 64, isKey: isFull },
    { name: 'color', typeOid: 1042, typeModifier: 11, isKey: isFull },
  ],
})

/** `part` and `whole`: a row goes from a partition that logs its key, or all of it; the partition is described before it. */
type Step = 'row' | 'other' | 'truncate' | 'message' | 'metadata' | 'gone' | 'part' | 'whole'

/** One transaction as PostgreSQL sends it. */
function transactionOf(number: number, steps: readonly Step[]): MessageSpec[] {
  const commitLsn = toLsn(BigInt(number * 1_000))
  const row = (relationOid: number, name: string): MessageSpec => ({
    ...{ kind: 'insert', streamXid: null, relationOid, oldKind: 'none', old: null },
    new: [text('1'), text(name), null],
  })
  const deletion = (old: readonly TupleColumn[]): MessageSpec => ({
    ...{ kind: 'delete', streamXid: null, relationOid: TAGS, oldKind: 'full', old, new: null },
  })
  return [
    { kind: 'begin', finalLsn: commitLsn, committedAtMicros: 5n, xid: number },
    ...steps.flatMap((step, index): MessageSpec | MessageSpec[] => {
      if (step === 'gone') return deletion([text('1'), text(`gone ${number}.${index}`), null])
      if (step === 'part' || step === 'whole') {
        const isWhole = step === 'whole'
        return [
          relation(TAGS, 'Tag'),
          relation(PARTITION, 'tags_1', isWhole),
          deletion([text('1'), isWhole ? text('whole') : null, null]),
        ]
      }
      if (step === 'row') return row(TAGS, `row ${number}.${index}`)
      if (step === 'other') return row(OTHERS, 'nobody')
      if (step === 'truncate') {
        const relationOids = [OTHERS, TAGS]
        return { kind: 'truncate', streamXid: null, relationOids, isCascade: false, isRestartIdentity: false }
      }
      return {
        ...{
          kind: 'message',
          streamXid: null,
          isTransactional: true,
          lsn: toLsn(BigInt(number * 1_000 - 500 + index)),
        },
        ...(step === 'metadata'
          ? { prefix: METADATA_PREFIX, content: new TextEncoder().encode(`{"at":"${number}.${index}"}`) }
          : { prefix: 'app', content: Uint8Array.of(index) }),
      }
    }),
    { kind: 'commit', commitLsn, endLsn: toLsn(commitLsn + 8n), committedAtMicros: 5n },
  ]
}

/** What leaves an assembler, as texts. */
function createSink() {
  const seen: string[] = []
  const output = {
    publish(part: TransactionPart) {
      for (const change of part.changes) {
        const row = (change.new ?? change.old) as { name?: string } | null
        const { committedAt, metadata } = change.transaction
        const said = metadata === null ? '' : JSON.stringify(metadata)
        seen.push(`${change.cursor} ${change.action} ${row?.name ?? ''} ${committedAt.getTime()}${said}`)
      }
    },
    onMessage: ({ lsn, index, content }: { lsn: bigint; index: number | null; content: Uint8Array }) =>
      void seen.push(`message ${lsn} ${index} ${content.join()}`),
    onDrift() {},
  }
  return { seen, output }
}

function encode(specs: readonly MessageSpec[]): Buffer[] {
  return specs.map((spec) => Buffer.from(encodeMessage(spec)))
}

/** A tap's entries, cut at `recordsMax`, and what relations look like. */
function build(messages: readonly Buffer[], recordsMax: number, registry = newRegistry()) {
  const entries: BuiltEntry[] = []
  const relations = new Map<string, Buffer>()
  const builder = new EntryBuilder(
    registry,
    {
      onBegin() {},
      onCommit() {},
      onDrift() {},
      onRecovery() {},
      onRelation: ({ digest, bytes }) => relations.set(digest, bytes),
      onEntry: (entry) => entries.push(entry),
    },
    { recordsMax, bytesMax: 100_000 },
  )
  builder.reset(STREAM, ZERO)
  for (const bytes of messages) builder.accept(bytes, 0, bytes.length)
  return { entries, relations, builder }
}

/** Redis, as far as ids go: an entry that is not greater than the last is refused. */
function accept(attempts: readonly BuiltEntry[]): BuiltEntry[] {
  const stream: BuiltEntry[] = []
  for (const entry of attempts) {
    const last = stream.at(-1)
    if (last === undefined || compareEntryIds(entry.id, last.id) > 0) stream.push(entry)
  }
  return stream
}

async function feed(stream: readonly BuiltEntry[], relations: ReadonlyMap<string, Buffer>, after = ZERO) {
  const { seen, output } = createSink()
  const cache = new RelationCache()
  const log = {
    readFields: async (_name: string, digests: readonly string[]) =>
      digests.map((digest) => relations.get(digest) ?? null),
  }
  const feeder = new EntryFeeder(
    { registry: newRegistry(), relations: cache, softDelete: new Map(), output },
    after,
  )
  for (const { id, payload } of stream) {
    const entry = decodeEntry({ stream: STREAM, id: parseEntryId(formatEntryId(id)) }, payload)
    await cache.load(log, 'relations', [entry])
    expect(feeder.follows(entry)).toBe(true)
    feeder.feed(entry)
  }
  return { seen, feeder }
}

const STEPS: readonly Step[] = [
  'row',
  'row',
  'other',
  'truncate',
  'message',
  'metadata',
  'gone',
  'part',
  'whole',
]
const steps = fc
  .tuple(
    // Most say something of themselves at their head.
    fc.constantFrom<readonly Step[]>([], ['metadata'], ['message', 'message', 'metadata']),
    fc.array(fc.constantFrom(...STEPS), { maxLength: 12 }),
  )
  .map(([head, rest]) => [...head, ...rest])

describe('entries', () => {
  it('bring exactly what one process alone would see, wherever transactions are cut and however often they come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(),
        async (transactions, firstCut, secondCut, takeover) => {
          const specs = [
            ...[relation(TAGS, 'Tag'), relation(OTHERS, 'others')],
            ...transactions.flatMap((each, index) => transactionOf(index + 1, each)),
          ]
          const messages = encode(specs)
          const alone = createSink()
          const assembler = createTransactionAssembler(newRegistry())
          for (const bytes of messages) {
            for (const event of assembler.accept(decodeMessage(bytes, 0, bytes.length), bytes.length)) {
              if (event.kind === 'part') alone.output.publish(event.part)
              if (event.kind === 'emitted') alone.output.onMessage(event.message)
              assembler.handedOn(event)
            }
          }
          // One tap ends somewhere; another, which cuts elsewhere, begins from the start.
          const first = build(messages, firstCut)
          const second = build(messages, secondCut)
          const ended = first.entries.slice(0, takeover % (first.entries.length + 1))
          const { seen } = await feed(
            accept([...ended, ...second.entries]),
            new Map([...first.relations, ...second.relations]),
          )
          const cursorless = (lines: readonly string[]) =>
            lines.map((line) => line.replace(/^01[0-9a-f]{24}/, ''))
          expect(cursorless(seen)).toEqual(cursorless(alone.seen))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('say in each whose transaction it is: also for a reader that begins within it, and only what stood before its rows', async () => {
    const messages = encode([
      relation(TAGS, 'Tag'),
      ...transactionOf(1, ['metadata', 'metadata', 'row', 'row', 'row']),
      ...transactionOf(2, ['other', 'metadata', 'row']),
    ])
    const { entries, relations } = build(messages, 1)
    const { seen } = await feed(entries.slice(1), relations, entries[0]?.id)
    const said = seen.map((line) => line.split(' ').slice(3).join(' '))
    expect(said).toEqual(['1.3 946684800000{"at":"1.0"}', '1.4 946684800000{"at":"1.0"}', '2.2 946684800000'])
    expect(entries).toHaveLength(4)
  })

  it('have the rows of a table that wrote before it was known to inherit, from then on', () => {
    const registry = newRegistry()
    const { entries, relations, builder } = build(
      encode([relation(OTHERS, 'special_tags'), ...transactionOf(1, ['other'])]),
      5,
      registry,
    )
    expect(entries).toEqual([])
    const child = { model: 'Tag', schema: 'public', table: 'special_tags', unpublishedColumns: [] }
    registry.expect([{ ...child, table: 'Tag' }, child])
    for (const bytes of encode(transactionOf(2, ['other']))) builder.accept(bytes, 0, bytes.length)
    expect(entries).toHaveLength(1)
    expect(relations.size).toBe(1)
  })

  it('know which old rows are keys alone, for a reader who never saw the partition described', async () => {
    const messages = encode([
      relation(TAGS, 'Tag'),
      ...transactionOf(1, ['part', 'whole', 'part']),
      ...transactionOf(2, ['row', 'gone', 'part']),
    ])
    const { entries, relations } = build(messages, 500)
    const { seen } = await feed(entries.slice(1), relations, entries[0]?.id)
    expect(seen.map((line) => line.split(' ').slice(1, -1).join(' '))).toEqual([
      'INSERT row 2.0',
      'DELETE gone 2.1',
      'DELETE ',
    ])
  })

  it('show a reader that one before them is missing', async () => {
    const messages = encode([
      relation(TAGS, 'Tag'),
      ...transactionOf(1, ['row']),
      ...transactionOf(2, ['row']),
    ])
    const { entries, relations } = build(messages, 500)
    const { feeder } = await feed(entries.slice(0, 1), relations)
    const later = build([...messages, ...encode(transactionOf(3, ['row']))], 500).entries.map(
      ({ id, payload }) => decodeEntry({ stream: STREAM, id }, payload),
    )
    expect(later.map((entry) => feeder.follows(entry))).toEqual([true, true, false])
  })

  it('show how far reading is, on a stream that never pauses: all of a transaction only with its last entry', async () => {
    const messages = encode([
      relation(TAGS, 'Tag'),
      ...transactionOf(1, ['row']),
      ...transactionOf(2, ['row', 'row', 'row']),
    ])
    const { entries, relations } = build(messages, 2)
    const states = []
    for (const count of [1, 2, 3]) {
      const { feeder } = await feed(entries.slice(0, count), relations)
      states.push([feeder.passedLsn, feeder.isWithin])
    }
    const [first, , last] = entries.map(({ id }) => id.lsn)
    expect(states).toEqual([
      [(first ?? 0n) + 1n, false],
      [last, true],
      [(last ?? 0n) + 1n, false],
    ])
  })

  it('are read by what they say of their relation, whatever the catalog has said in between', async () => {
    const renamed: MessageSpec = {
      ...{
        kind: 'relation',
        streamXid: null,
        oid: TAGS,
        schema: 'public',
        table: 'Tag',
        replicaIdentity: 'full',
      },
      columns: [
        { name: 'id', typeOid: 23, typeModifier: -1, isKey: true },
        { name: 'secret', typeOid: 1043, typeModifier: 64, isKey: true },
        { name: 'color', typeOid: 1042, typeModifier: 11, isKey: true },
      ],
    }
    const messages = encode([renamed, ...transactionOf(1, ['row']), ...transactionOf(2, ['row'])])
    const { entries, relations } = build(messages, 500)
    const [first, second] = entries.map(({ id, payload }) => decodeEntry({ stream: STREAM, id }, payload))
    const { seen, feeder } = await feed(entries.slice(0, 1), relations)
    expect([first?.id, seen]).toEqual([feeder.position, []])
    // It was as the model says for a while, in which nobody wrote.
    const [fitting] = encode([relation(TAGS, 'Tag')])
    feeder.describe(fitting as Buffer)
    feeder.feed(second as NonNullable<typeof second>)
    expect(seen).toEqual([])
  })

  it('carry a message outside any transaction by itself', async () => {
    const lsn = toLsn(80n)
    const alone: MessageSpec = {
      ...{
        kind: 'message',
        streamXid: null,
        isTransactional: false,
        lsn,
        prefix: 'app',
        content: Uint8Array.of(9),
      },
    }
    const heartbeat: MessageSpec = { ...alone, prefix: 'rowcast' }
    const { entries, relations } = build(encode([heartbeat, alone]), 500)
    expect(entries.map(({ id }) => formatEntryId(id))).toEqual(['79-0'])
    expect((await feed(entries, relations)).seen).toEqual(['message 80 null 9'])
  })

  it('keep every value of the header, and say so when another version wrote them', () => {
    const encoder = new EntryEncoder()
    encoder.addMessage(Buffer.from('row'), 0, 3)
    encoder.addSkip(7)
    encoder.addRelation('00112233aabbccdd')
    const header = {
      ...{ previous: { lsn: toLsn(2n ** 64n - 1n), sequence: 2 ** 32 - 1 }, isFinal: true, isAlone: false },
      ...{ xid: 2 ** 32 - 1, committedAtMicros: -(2n ** 63n), endLsn: toLsn(2n ** 63n) },
      ...{ firstIndex: 4_000_000_000, firstSequence: 4_000_000_001 },
      metadata: Buffer.from('{"actor":"ä"}'),
    }
    const id = { lsn: toLsn(5n), sequence: 6 }
    const payload = encoder.finish(header, { stream: STREAM, id })
    const entry = decodeEntry({ stream: STREAM, id }, payload)
    expect(entry).toMatchObject({ ...header, id, relations: ['00112233aabbccdd'] })
    const records: unknown[] = []
    readRecords(entry, {
      message: (bytes, start, end) => records.push(bytes.toString('latin1', start, end)),
      relation: (digest) => records.push(digest),
      skip: (count) => records.push(count),
    })
    expect(records).toEqual(['row', 7, '00112233aabbccdd'])
    expect(() => decodeEntry({ stream: STREAM, id }, payload.subarray(0, 20))).toThrow(
      'BROKER_ENTRY_UNREADABLE',
    )
    expect(() => decodeEntry({ stream: STREAM, id }, payload.subarray(0, -1))).toThrow(
      'BROKER_ENTRY_UNREADABLE',
    )
    for (let index = 1; index < payload.length; index += 1) {
      const damaged = Buffer.from(payload)
      damaged[index] = (damaged[index] ?? 0) ^ 1
      expect(() => decodeEntry({ stream: STREAM, id }, damaged)).toThrow('BROKER_ENTRY_UNREADABLE')
    }
    // A copy of it elsewhere is none.
    const copies = [
      { stream: STREAM, id: { lsn: toLsn(5n), sequence: 7 } },
      { stream: STREAM, id: { lsn: toLsn(6n), sequence: 6 } },
      { stream: 'rowcast:{slot}:two:changes', id },
    ]
    for (const copy of copies) expect(() => decodeEntry(copy, payload)).toThrow('has a wrong checksum')
    payload[0] = 4
    expect(() => decodeEntry({ stream: STREAM, id }, payload)).toThrow('has a wrong length')
    payload[0] = 6
    expect(() => decodeEntry({ stream: STREAM, id }, payload)).toThrow('has version 6, not 5')
    expect(() => parseEntryId('now')).toThrow('BROKER_ENTRY_UNREADABLE')
    expect(() => toRawEntries([[Buffer.from('1-1'), null]])).toThrow('BROKER_ENTRY_UNREADABLE')
  })

  it('are read as well that a tap of the release before has written: gateways can be updated first', () => {
    const payload = Buffer.from(PREVIOUS_VERSION, 'hex')
    const id = { lsn: toLsn(5n), sequence: 6 }
    const entry = decodeEntry({ stream: STREAM, id }, payload)
    expect(entry).toMatchObject({
      ...{ id, previous: { lsn: 4n, sequence: 3 }, isFinal: true, isAlone: false, xid: 7 },
      ...{ committedAtMicros: 8n, endLsn: 9n, firstIndex: 10, firstSequence: 11 },
      relations: ['00112233aabbccdd'],
      metadata: Buffer.alloc(0),
    })
    const records: unknown[] = []
    readRecords(entry, {
      message: (bytes, start, end) => records.push(bytes.toString('latin1', start, end)),
      relation: (digest) => records.push(digest),
      skip: (count) => records.push(count),
    })
    expect(records).toEqual(['00112233aabbccdd', 'row', 7])
    for (let index = 0; index < payload.length; index += 1) {
      const damaged = Buffer.from(payload)
      damaged[index] = (damaged[index] ?? 0) ^ 1
      expect(() => decodeEntry({ stream: STREAM, id }, damaged)).toThrow('BROKER_ENTRY_UNREADABLE')
      expect(() => decodeEntry({ stream: STREAM, id }, payload.subarray(0, index))).toThrow(
        'BROKER_ENTRY_UNREADABLE',
      )
    }
  })
})
