/** The forms that changes may have in a broker: PostgreSQL's own bytes, or the typed rows as JSON. */
import { EntryBuilder } from '../../src/broker/entry-builder.ts'
import { decodeEntry } from '../../src/broker/entry-codec.ts'
import { EntryFeeder } from '../../src/broker/entry-feeder.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { LSN_ZERO } from '../../src/wire/lsn.ts'
import { ORDER, ORDERS_CATALOG, readAllFields } from '../orders.ts'
import { readMessages } from './decode.ts'

/** What one form costs. */
export interface CodecAnswer {
  readonly bytesPerChange: number
  readonly encodeMicros: number
  /** To typed rows, every field read. */
  readonly decodeMicros: number
}

const newRegistry = () => createRelationRegistry({ catalog: ORDERS_CATALOG, models: [ORDER] })
const START = { lsn: LSN_ZERO, sequence: 0 }

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

async function entries({ file }: { readonly file: string }): Promise<CodecAnswer> {
  const messages = readMessages(file)
  const relations = new Map<string, Buffer>()
  let built: { id: typeof START; payload: Buffer }[] = []
  const output = {
    ...{ onBegin() {}, onCommit() {}, onDrift() {}, onRecovery() {} },
    onRelation: ({ digest, bytes }: { digest: string; bytes: Buffer }) => relations.set(digest, bytes),
    onEntry: (entry: (typeof built)[number]) => built.push(entry),
  }
  const encodeAll = () => {
    built = []
    const builder = new EntryBuilder(newRegistry(), output)
    builder.reset('bench', START)
    for (const message of messages) builder.accept(message, 0, message.length)
  }
  encodeAll()
  const encode = cpuMicros(encodeAll)
  const cache = new RelationCache()
  const source = {
    readFields: async (_name: string, digests: readonly string[]) =>
      digests.map((digest) => relations.get(digest) ?? null),
  }
  await cache.load(
    source,
    '',
    built.map(({ id, payload }) => decodeEntry({ stream: 'bench', id }, payload)),
  )
  let changes = 0
  const decodeAll = () => {
    changes = 0
    const read = createReader((count) => {
      changes += count
    })
    const feeder = new EntryFeeder(
      {
        registry: newRegistry(),
        relations: cache,
        softDelete: new Map(),
        output: { publish: read, onDrift() {} },
      },
      START,
    )
    for (const { id, payload } of built) feeder.feed(decodeEntry({ stream: 'bench', id }, payload))
  }
  decodeAll()
  const decode = cpuMicros(decodeAll)
  const bytes = built.reduce((sum, { payload }) => sum + payload.length, 0)
  return { bytesPerChange: bytes / changes, encodeMicros: encode / changes, decodeMicros: decode / changes }
}

function json({ file }: { readonly file: string }): CodecAnswer {
  const messages = readMessages(file)
  let texts: string[] = []
  const encodeAll = () => {
    texts = []
    const assembler = createTransactionAssembler(newRegistry())
    for (const message of messages) {
      for (const event of assembler.accept(decodeMessage(message, 0, message.length), message.length)) {
        if (event.kind !== 'part') continue
        for (const { action, old, new: now } of event.part.changes)
          texts.push(JSON.stringify({ action, old, new: now }, bigints))
        assembler.handedOn(event)
      }
    }
  }
  encodeAll()
  const encode = cpuMicros(encodeAll)
  let values = 0
  const decodeAll = () => {
    for (const text of texts) {
      const { old, new: now } = JSON.parse(text) as { old: object | null; new: object | null }
      values += readAllFields(old) + readAllFields(now)
    }
  }
  decodeAll()
  const decode = cpuMicros(decodeAll)
  if (values < texts.length) throw new Error('Rows without values.')
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const { length } = texts
  return { bytesPerChange: bytes / length, encodeMicros: encode / length, decodeMicros: decode / length }
}

/** Types are lost here: what is measured is the least that JSON costs. */
const bigints = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)

function createReader(count: (changes: number) => void) {
  return (part: TransactionPart) => {
    for (const change of part.changes) {
      if (readAllFields(change.new) === 0) throw new Error('A row without values.')
      readAllFields(change.old)
    }
    count(part.changes.length)
  }
}

export const commands = { entries, json }
