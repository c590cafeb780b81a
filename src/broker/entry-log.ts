/**
 * Beside the bus, broker. The seam behind which an engine stands: a log of entries, and what is kept beside it. What an entry
 * holds, which epoch counts, and who may write is decided in front of it. An engine keeps streams of entries, texts and tables of
 * fields by name, writes several things at once or none of them, and says whether something that was looked at has changed.
 * `redis/` is one; test/support has one in memory. test/broker/engines.test.ts says what each has to do.
 */
import type { Buffer } from 'node:buffer'
import type { EntryId } from './entry-id.ts'

/** Field of an entry of ours, and of the position that a stream begins at. */
export const ENTRY_FIELD = 'b'
export const FLOOR_FIELD = 'floor'
/** Beside an entry: where its models changed last before it. */
export const LASTS_FIELD = 'l'

/** An entry with the value of its first field, and of the one beside it where there is one. */
export interface RawEntry {
  readonly id: EntryId
  readonly field: string
  readonly value: Buffer
  readonly beside: string | null
}

/** Entries of a stream, oldest first. */
export interface EntryRange {
  /** Where they begin: after an id, or at one. @default the oldest */
  readonly after?: EntryId | undefined
  readonly from?: EntryId | undefined
  /** @default all */
  readonly count?: number | undefined
}

/** What is written, as data. A stream, a text or a table of fields comes into being with the first write, but for `entry`. */
export type LogWrite =
  /** An entry of ours, behind all that the stream has had. One that is not is refused; a stream that is gone takes none. */
  | {
      readonly kind: 'entry'
      readonly stream: string
      readonly id: EntryId
      readonly payload: Buffer
      readonly beside: string | null
    }
  /** The position that a stream begins at, as its first entry. */
  | { readonly kind: 'floor'; readonly stream: string; readonly id: EntryId }
  /** A text with the engine's time as its id. The newest alone is kept of marks, some of announcements. */
  | { readonly kind: 'mark' | 'announcement'; readonly stream: string; readonly text: string }
  | { readonly kind: 'text'; readonly name: string; readonly text: string }
  | { readonly kind: 'fields'; readonly name: string; readonly fields: ReadonlyMap<string, string | Buffer> }
  /** Entries before the id may go, or all but the newest: an engine may keep more. */
  | { readonly kind: 'trim'; readonly stream: string; readonly before: EntryId }
  | { readonly kind: 'shorten'; readonly stream: string; readonly count: number }
  /** It goes by itself after the seconds. */
  | { readonly kind: 'expire'; readonly name: string; readonly seconds: number }

/** What became of a batch. */
export type Committed =
  /** All of it is there, but for entries whose id was refused: somebody has written at it, or behind it. */
  | { readonly kind: 'accepted'; readonly refused: ReadonlySet<EntryId> }
  /** The stream is gone: it takes no entry. */
  | { readonly kind: 'lost' }
  /** Nothing of it is: another writer has taken the stream. */
  | { readonly kind: 'contested' }

/** What one writer writes with, as long as nobody else takes the stream from it. One batch at a time. */
export interface LogWriter {
  /** Resolves once the next batch may leave. @throws BROKER_STREAM_CONTESTED, BROKER_STREAM_LOST, BROKER_… */
  ready(): Promise<void>
  /** Writes all at once or nothing; leaves in this turn. `stream`: the one that is gone where all is. @throws BROKER_… */
  commit(stream: string, writes: readonly LogWrite[]): Promise<Committed>
}

/** What a look at an epoch brought. */
export interface FollowedEntries {
  readonly entries: readonly RawEntry[]
  /** The newest mark after the one that is known; null: there is none. */
  readonly mark: RawEntry | null
}

/** Where whoever follows an epoch stands. */
export interface FollowPosition {
  readonly changes: string
  readonly marks: string
  readonly after: EntryId
  /** Of the mark that is known. */
  readonly afterMark: EntryId
}

/** One connection to an engine. Every call may throw BROKER_LOST, BROKER_REFUSED, BROKER_OUT_OF_MEMORY. */
export interface EntryLog {
  readonly isOpen: boolean
  /** Ends it at once; what was sent may or may not have arrived. */
  destroy(): void
  /** Writes a text for a second: an engine that is full, or follows another one, can be read and not written. */
  checkWritable(name: string, text: string): Promise<void>
  /** @throws BROKER_ENTRY_UNREADABLE where the stream has what no engine of ours writes */
  readEntries(stream: string, range: EntryRange): Promise<readonly RawEntry[]>
  /** Newest first. @throws BROKER_ENTRY_UNREADABLE */
  readBackwards(stream: string, before: EntryId | null, count: number): Promise<readonly RawEntry[]>
  /** Waits for something new; 0 ms does not wait. @throws BROKER_ENTRY_UNREADABLE */
  follow(position: FollowPosition, count: number, waitMs: number): Promise<FollowedEntries>
  /** The id that the next entry has to exceed. */
  readNewestId(stream: string): Promise<EntryId>
  has(name: string): Promise<boolean>
  countEntries(stream: string): Promise<number>
  /** Bytes that the engine needs for a stream. */
  measureEntries(stream: string): Promise<number>
  readText(name: string): Promise<string | null>
  /** Bytes of a text; 0 where there is none. */
  measureText(name: string): Promise<number>
  /** In the order of the names; null where there is none. */
  readFields(name: string, fields: readonly string[]): Promise<readonly (Buffer | null)[]>
  readAllFields(name: string): Promise<ReadonlyMap<string, Buffer>>
  /** Milliseconds since 1970 by the engine's clock, the one that marks are written by. */
  readClockMs(): Promise<number>
  /** How many replicas have all that was written before; waits a moment until so many do. `name`: a text to write. */
  countReplicas(name: string, wanted: number): Promise<number>
  /** By which policy the engine may drop what is kept, to make room; null: it does not. */
  readEvictionPolicy(): Promise<string | null>
  /**
   * Decides by what is read, and writes it, unless one of the names has changed since before `decide` began. Null writes nothing.
   * @returns false where it was not written because one of them had
   */
  update(names: readonly string[], decide: () => Promise<readonly LogWrite[] | null>): Promise<boolean>
  /** @param name names the writer that has taken the stream */
  openWriter(name: string, writerId: string): LogWriter
}

/** How a connection is opened. */
export interface LogConnectionOptions {
  /** What the engine lists it as. */
  readonly name: string
  /** Ends it, also while it is being opened. */
  readonly signal?: AbortSignal | undefined
  /** Called once when it ends, whoever ended it. */
  readonly onEnd?: (() => void) | undefined
}

/** A kind of broker, at its address. */
export interface BrokerEngine {
  /** Milliseconds that `follow` waits at most. */
  readonly followMs: number
  /** @throws BROKER_UNREACHABLE, BROKER_REFUSED */
  open(options: LogConnectionOptions): Promise<EntryLog>
}
