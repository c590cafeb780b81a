/** Recorded messages as files: test/vectors/pg<major>/<capture>.json, one message a line. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProtocolVersion } from '../../../src/pgoutput/messages.ts'
import { UNCHANGED } from '../../../src/pgoutput/tuple.ts'
import type { MessageSpec } from '../message-builder.ts'

/** One message as PostgreSQL sent it, and what it means. */
export interface RecordedMessage {
  readonly hex: string
  readonly expected: MessageSpec
}

/** All messages of one slot, in the order they were sent. */
export interface Recording {
  /** As the server says it: `18.4`. */
  readonly server: string
  /** Of pgoutput, at START_REPLICATION. */
  readonly options: Readonly<Record<string, string>>
  readonly messages: readonly RecordedMessage[]
}

/** A recording and where it is from. */
export interface NamedRecording extends Recording {
  readonly major: number
  /** `v1-text`, for instance. */
  readonly capture: string
  readonly protocolVersion: ProtocolVersion
}

const FOLDER = join(import.meta.dirname, '..', '..', 'vectors')

function folderOf(major: number): string {
  return join(FOLDER, `pg${major}`)
}

/** Writes one recording, in place of an earlier one. */
export function writeRecording(major: number, capture: string, recording: Recording): void {
  const { server, options, messages } = recording
  const lines = messages.map(({ hex, expected }) => JSON.stringify({ hex, expected: toJson(expected) }))
  const head = `{\n"server": ${JSON.stringify(server)},\n"options": ${JSON.stringify(options)},\n"messages": [\n`
  mkdirSync(folderOf(major), { recursive: true })
  writeFileSync(join(folderOf(major), `${capture}.json`), `${head}${lines.join(',\n')}\n]\n}\n`)
}

/** Every recording of a major version. */
export function readRecordings(major: number): readonly NamedRecording[] {
  return readdirSync(folderOf(major))
    .filter((file) => file.endsWith('.json'))
    .map((file) => {
      const text = readFileSync(join(folderOf(major), file), 'utf8')
      const recording = JSON.parse(text) as Omit<Recording, 'messages'> & {
        readonly messages: readonly { readonly hex: string; readonly expected: unknown }[]
      }
      return {
        ...recording,
        major,
        capture: file.slice(0, -'.json'.length),
        protocolVersion: Number(recording.options['proto_version']) as ProtocolVersion,
        messages: recording.messages.map(({ hex, expected }) => ({
          hex,
          expected: fromJson(expected) as MessageSpec,
        })),
      }
    })
}

/** What JSON has no form for becomes an object of one key: `{"bigint": "1"}`, `{"hex": "00"}`, `{"unchanged": true}`. */
function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: String(value) }
  if (value === UNCHANGED) return { unchanged: true }
  if (value instanceof Uint8Array) return { hex: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value
  if (isTextColumn(value)) return { text: Buffer.from(value.bytes).toString() }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
}

function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [key, only] = entries[0] ?? []
  if (entries.length === 1 && key === 'bigint') return BigInt(String(only))
  if (entries.length === 1 && key === 'unchanged') return UNCHANGED
  if (entries.length === 1 && key === 'hex') return Uint8Array.from(Buffer.from(String(only), 'hex'))
  if (entries.length === 1 && key === 'text') return { format: 'text', bytes: new TextEncoder().encode(only) }
  return Object.fromEntries(entries.map(([name, item]) => [name, fromJson(item)]))
}

function isTextColumn(value: object): value is { readonly format: 'text'; readonly bytes: Uint8Array } {
  return 'format' in value && value.format === 'text'
}
