/** What an engine in memory keeps: streams, texts and tables of fields by name, and what writes make of them. */
import { Buffer } from 'node:buffer'
import { compareEntryIds, type EntryId } from '../../../src/broker/entry-id.ts'
import {
  type Committed,
  ENTRY_FIELD,
  FLOOR_FIELD,
  type LogWrite,
  type RawEntry,
} from '../../../src/broker/entry-log.ts'
import { RowcastError } from '../../../src/errors.ts'
import { LSN_ZERO, toLsn } from '../../../src/wire/lsn.ts'

/** A stream. */
export interface KeptStream {
  readonly kind: 'stream'
  /** Oldest first. */
  entries: readonly RawEntry[]
  /** Of all that it has had. */
  newestId: EntryId
}

type Kept =
  | KeptStream
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'fields'; readonly fields: ReadonlyMap<string, Buffer> }

const ZERO: EntryId = { lsn: LSN_ZERO, sequence: 0 }
const EMPTY: KeptStream = { kind: 'stream', entries: [], newestId: ZERO }
const ANNOUNCEMENTS_MAX = 100

/** All that one server keeps. */
export class Keyspace {
  #kept = new Map<string, Kept>()
  readonly #expiresAtMs = new Map<string, number>()
  /** How often each name was written: whoever looked at it knows whether it has changed. */
  readonly #versions = new Map<string, number>()

  /** The same, in another server. */
  copy(): Keyspace {
    const copied = new Keyspace()
    // What is kept is replaced, never changed.
    copied.#kept = new Map(this.#kept)
    for (const [name, atMs] of this.#expiresAtMs) copied.#expiresAtMs.set(name, atMs)
    return copied
  }

  versionOf(name: string): number {
    return this.#versions.get(name) ?? 0
  }

  clear(): void {
    for (const name of this.#kept.keys()) this.#touch(name)
    this.#kept.clear()
    this.#expiresAtMs.clear()
  }

  drop(name: string): void {
    if (this.#kept.delete(name)) this.#touch(name)
  }

  /** Drops whatever has expired. */
  expire(nowMs: number): void {
    for (const [name, atMs] of this.#expiresAtMs) {
      if (atMs > nowMs) continue
      this.#expiresAtMs.delete(name)
      this.drop(name)
    }
  }

  has(name: string): boolean {
    return this.#kept.has(name)
  }

  streamAt(name: string): KeptStream | null {
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.kind !== 'stream') throw wrongKind(name)
    return kept ?? null
  }

  textAt(name: string): string | null {
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.kind !== 'text') throw wrongKind(name)
    return kept?.text ?? null
  }

  fieldsAt(name: string): ReadonlyMap<string, Buffer> {
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.kind !== 'fields') throw wrongKind(name)
    return kept?.fields ?? new Map()
  }

  /** Writes what can be written, as a server does, and throws the first fault afterwards. @throws BROKER_REFUSED */
  write(writes: readonly LogWrite[], nowMs: number): Committed {
    const refused = new Set<EntryId>()
    let isLost = false
    let fault: unknown = null
    for (const write of writes) {
      try {
        if (write.kind !== 'entry') this.#writeOne(write, nowMs)
        else if (this.streamAt(write.stream) === null) isLost = true
        else if (!this.#append(write.stream, entryOf(write))) refused.add(write.id)
      } catch (error) {
        fault ??= error
      }
    }
    if (fault !== null) throw fault
    return isLost ? { kind: 'lost' } : { kind: 'accepted', refused }
  }

  #writeOne(write: Exclude<LogWrite, { readonly kind: 'entry' }>, nowMs: number): void {
    switch (write.kind) {
      case 'floor': {
        const floor = { id: write.id, field: FLOOR_FIELD, value: Buffer.alloc(0), beside: null }
        if (!this.#append(write.stream, floor))
          throw new RowcastError('BROKER_REFUSED', 'The floor is not new.')
        return
      }
      case 'mark':
      case 'announcement': {
        const id = this.#nextIdOf(write.stream, nowMs)
        const field = write.kind === 'mark' ? 'm' : 'e'
        this.#append(write.stream, { id, field, value: Buffer.from(write.text), beside: null })
        const kept = write.kind === 'mark' ? 1 : ANNOUNCEMENTS_MAX
        this.#keep(write.stream, (entries) => entries.slice(-kept))
        return
      }
      case 'text':
        this.#set(write.name, { kind: 'text', text: write.text })
        // SET is for ever.
        this.#expiresAtMs.delete(write.name)
        return
      case 'fields': {
        const fields = new Map(this.fieldsAt(write.name))
        for (const [field, value] of write.fields) fields.set(field, Buffer.from(value))
        this.#set(write.name, { kind: 'fields', fields })
        return
      }
      case 'trim':
        this.#keep(write.stream, (entries) =>
          entries.filter(({ id }) => compareEntryIds(id, write.before) >= 0),
        )
        return
      case 'shorten':
        this.#keep(write.stream, (entries) => entries.slice(Math.max(0, entries.length - write.count)))
        return
      case 'expire':
        if (this.has(write.name)) this.#expiresAtMs.set(write.name, nowMs + write.seconds * 1_000)
    }
  }

  /** @returns false where the id is not behind all that the stream has had */
  #append(name: string, entry: RawEntry): boolean {
    const { entries, newestId } = this.streamAt(name) ?? EMPTY
    if (compareEntryIds(entry.id, newestId) <= 0) return false
    this.#set(name, { kind: 'stream', entries: [...entries, entry], newestId: entry.id })
    return true
  }

  #keep(name: string, pick: (entries: readonly RawEntry[]) => readonly RawEntry[]): void {
    const stream = this.streamAt(name)
    if (stream !== null) this.#set(name, { ...stream, entries: pick(stream.entries) })
  }

  #nextIdOf(name: string, nowMs: number): EntryId {
    const { newestId } = this.streamAt(name) ?? EMPTY
    const now: EntryId = { lsn: toLsn(BigInt(Math.floor(nowMs))), sequence: 0 }
    if (compareEntryIds(now, newestId) > 0) return now
    return { lsn: newestId.lsn, sequence: newestId.sequence + 1 }
  }

  #set(name: string, kept: Kept): void {
    this.#kept.set(name, kept)
    this.#touch(name)
  }

  #touch(name: string): void {
    this.#versions.set(name, this.versionOf(name) + 1)
  }
}

function entryOf({ id, payload, beside }: Extract<LogWrite, { readonly kind: 'entry' }>): RawEntry {
  return { id, field: ENTRY_FIELD, value: Buffer.from(payload), beside }
}

function wrongKind(name: string): RowcastError {
  return new RowcastError('BROKER_REFUSED', `Something of another kind is kept at ${name}.`)
}
