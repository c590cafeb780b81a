/** What is fuzzed: each takes bytes, and throws where something came of them that must never be. */
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { decodeEntry, describeEntryAddress, EntryEncoder, readRecords } from '../../src/broker/entry-codec.ts'
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { formatCursor, parseCursor, partialCursorOf } from '../../src/changes/cursor.ts'
import { openRecording } from '../../src/cli/recording.ts'
import { RowcastError } from '../../src/errors.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { tupleColumns } from '../../src/pgoutput/tuple.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { HAND_VECTORS } from '../pgoutput/message-vectors.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { fromHex } from '../support/message-builder.ts'
import { SOCKET_TARGET } from './socket-target.ts'

/** One of them. */
export interface Target {
  readonly run: (bytes: Buffer) => void | Promise<void>
  /** What it begins with, beside its corpus. */
  readonly seeds: readonly Buffer[]
  /** Inputs between two looks at what was reached, which cost as much as a thousand quick ones. @default 512 */
  readonly batch?: number
}

const PLACE = { stream: 'rowcast:{fuzz}:changes', id: { lsn: toLsn(0x5000n), sequence: 2 } }
const MODEL = buildModel([
  buildField('id', 'Int'),
  buildField('name', 'String', { isRequired: false }),
  buildField('price', 'Decimal'),
  buildField('size', 'BigInt'),
  buildField('at', 'DateTime'),
  buildField('isOn', 'Boolean'),
  buildField('data', 'Json'),
  buildField('raw', 'Bytes'),
  buildField('tags', 'String', { isList: true }),
])
const CATALOG = { formatVersion: 1, models: { Thing: MODEL }, enums: {}, joinTables: [] } as const

/** Runs it; an error of ours is an answer, any other is a find. */
function answers<T>(run: () => T): T | null {
  try {
    return run()
  } catch (error) {
    if (error instanceof RowcastError) return null
    throw error
  }
}

function decode(bytes: Buffer): void {
  const version = ((bytes[0] ?? 0) % 4) + 1
  const context = { protocolVersion: version as 1 | 2 | 3 | 4, isStreamed: (bytes[0] ?? 0) > 127 }
  const message = answers(() => decodeMessage(bytes, 1, bytes.length, context))
  if (message?.kind !== 'insert' && message?.kind !== 'update' && message?.kind !== 'delete') return
  for (const tuple of [message.old, message.new]) if (tuple !== null) for (const _ of tupleColumns(tuple));
}

function cursor(bytes: Buffer): void {
  const text = bytes.toString('latin1')
  const parsed = answers(() => parseCursor(text))
  if (parsed === null) return
  const { origin, position, isPartial } = parsed
  const again = formatCursor(origin, position.commitLsn, position.index)
  const same = isPartial === true ? partialCursorOf(again) : again
  if (same !== text.toLowerCase() && same !== text) throw new Error(`${text} is written as ${same}`)
}

function filter(bytes: Buffer): void {
  let input: unknown
  try {
    input = JSON.parse(bytes.toString())
  } catch {
    return
  }
  if (typeof input !== 'object' || input === null) return
  const { changed, ...conditions } = input as { changed?: unknown }
  const names = Array.isArray(changed) ? { changed: changed.map(String) } : {}
  const parsed = answers(() => parseChangeFilter(MODEL, CATALOG, { ...conditions, ...names }))
  const row = {
    id: 1,
    name: null,
    price: '1.5',
    size: 2n,
    at: new Date(0),
    isOn: true,
    data: {},
    raw: new Uint8Array(2),
    tags: ['a'],
  }
  answers(() => parsed?.tests.where?.(row as never))
}

/** With a checksum that is right: what a reader meets behind it. */
function entry(bytes: Buffer): void {
  const own = Buffer.from(bytes)
  if (own.length >= 56 && own[1] !== 0xff) {
    const start = crc32(own.subarray(0, 48), crc32(describeEntryAddress(PLACE)))
    own.writeUInt32BE(crc32(own.subarray(own[0] === 4 ? 52 : 56), start), 48)
  }
  const decoded = answers(() => decodeEntry(PLACE, own))
  if (decoded === null) return
  answers(() =>
    readRecords(decoded, {
      message: (all, from, to) =>
        void answers(() => decodeMessage(all, from, to, { protocolVersion: 1, isStreamed: false })),
      relation: () => {},
      skip: () => {},
    }),
  )
}

const folder = mkdtempSync(join(tmpdir(), 'rowcast-fuzz-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

async function recording(bytes: Buffer): Promise<void> {
  const file = join(folder, 'recording')
  writeFileSync(file, bytes)
  try {
    const reader = await openRecording(file)
    try {
      for await (const _ of reader.frames());
    } finally {
      await reader.close()
    }
  } catch (error) {
    if (!(error instanceof RowcastError)) throw error
  }
}

function entrySeed(): Buffer {
  const encoder = new EntryEncoder()
  encoder.addRelation('0011223344556677')
  const message = Buffer.from(
    HAND_VECTORS.map(({ hex }) => hex).find((hex) => hex.startsWith('49')) ?? '49',
    'hex',
  )
  encoder.addMessage(message, 0, message.length)
  encoder.addSkip(3)
  const header = {
    previous: { lsn: toLsn(0x4000n), sequence: 0 },
    isFinal: true,
    isAlone: false,
    xid: 7,
    committedAtMicros: 1n,
  }
  return encoder.finish(
    { ...header, endLsn: toLsn(0x5008n), firstIndex: 0, firstSequence: 0, metadata: Buffer.from('{"a":1}') },
    PLACE,
  )
}

const HEADER = '{"rowcast":"recording","version":1,"systemId":"1","timeline":1,"publication":"p"}\n'
const FILTERS = [
  '{"where":{"id":{"gt":1},"OR":[{"name":{"contains":"a","mode":"insensitive"}},{"name":null}]}}',
  '{"old":{"price":{"lte":"1.50"}},"new":{"NOT":{"size":{"in":["1","2"]}}},"changed":["name","tags"]}',
  '{"where":{"at":{"lt":"2026-01-01T00:00:00Z"},"isOn":true,"data":{"path":["a"],"equals":1},"tags":{"has":"a"},"raw":"AAE="}}',
]

/** All. */
export const TARGETS: Readonly<Record<string, Target>> = {
  decoder: {
    run: decode,
    seeds: HAND_VECTORS.map(({ hex }) => Buffer.concat([Buffer.from([3]), fromHex(hex)])),
  },
  cursors: {
    run: cursor,
    seeds: [Buffer.from(formatCursor({ systemId: '7712', timeline: 2 }, toLsn(0x5000n), 3))],
  },
  filters: { run: filter, seeds: FILTERS.map((text) => Buffer.from(text)) },
  entries: { run: entry, seeds: [entrySeed()] },
  recordings: {
    run: recording,
    seeds: [Buffer.concat([Buffer.from(HEADER), Buffer.from([0, 0, 0, 2, 66, 67])])],
  },
  sockets: SOCKET_TARGET,
}
