/**
 * Beside the bus, broker. Entries → the log, in batches: each is written at once, and the next leaves when the last was answered.
 * So a batch is there as a whole or not at all, and none can arrive after one that was refused. Says what the broker has
 * accepted, and when too much waits.
 */
import type { Buffer } from 'node:buffer'
import type { ChangePosition } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { contain } from '../guard.ts'
import type { Lsn } from '../wire/lsn.ts'
import { systemRuntime } from './broker-runtime.ts'
import type { BuiltEntry } from './built-entry.ts'
import { describeEntryAddress } from './entry-codec.ts'
import { compareEntryIds, type EntryId, entryIdOf, laterEntryId } from './entry-id.ts'
import type { EntryLog, LogWrite, LogWriter } from './entry-log.ts'
import { type LastPositions, noteLastPositions } from './last-positions.ts'
import { formatMark } from './mark.ts'
import type { EpochKeys } from './stream-keys.ts'
import { digestOfTables } from './table-states.ts'
import { endOfBatch, type Item } from './writer-batch.ts'

/** What a writer needs. */
export interface StreamWriterOptions {
  readonly log: EntryLog
  readonly keys: EpochKeys
  /** Names who may write; the stream has been taken by `release()`. */
  readonly writerKey: string
  /** Who writes, also for those who read marks. */
  readonly writerId: string
  /** Entries up to here are there already. */
  readonly last: EntryId
  /** Everything before `lsn` is in the stream, whose last entry is `last`. */
  readonly onAccepted: (lsn: Lsn, last: EntryId) => void
  /** For those who read marks: all that committed before it is visible to queries. @default it is not known */
  readonly seenNow?: (() => Lsn) | undefined
  readonly onPressure: (isFull: boolean) => void
  readonly onFailure: (error: RowcastError) => void
  /** Of a clock that never jumps. @default the machine's */
  readonly monotonicMs?: (() => number) | undefined
}

/** What leaves at once. */
interface Batch {
  readonly writes: readonly LogWrite[]
  readonly entries: readonly BuiltEntry[]
  readonly mark: Lsn | null
}

/** Undelivered bytes at which reading from PostgreSQL pauses, and goes on. */
const FULL_BYTES = 16 * 1024 * 1024
const RELIEVED_BYTES = 8 * 1024 * 1024
/** An entry's cost beside its payload. */
const ENTRY_OVERHEAD_BYTES = 200

/** Writes to one epoch over one connection; it ends with the first failure. */
export class StreamWriter {
  readonly #options: StreamWriterOptions
  readonly #writer: LogWriter
  readonly #nowMs: () => number
  /** What is thrown there ends the writer: nobody else could catch it. */
  readonly #writeSoon = contain(
    () => {
      this.#write().catch((error: unknown) => this.#fail(error))
    },
    (error) => this.#fail(error),
  )
  #waiting: Item[] = []
  #head = 0
  #bytes = 0
  #isFull = false
  #isWriting = false
  #isHeld = true
  #hasEnded = false
  #last: EntryId
  #lasts: LastPositions | null = null
  /** Of the last mark that was added, and of the last that was accepted. */
  #added: Lsn | null = null
  #marked: Lsn | null = null
  #markedAtMs = 0
  /** Of the document about the models' tables that was sent last. */
  #tablesDigest: string | null = null
  entryCount = 0

  constructor(options: StreamWriterOptions) {
    this.#options = options
    this.#nowMs = options.monotonicMs ?? systemRuntime.monotonicMs
    this.#writer = options.log.openWriter(options.writerKey, options.writerId)
    this.#last = options.last
  }

  /** Bytes that the broker has not accepted yet. */
  get waitingBytes(): number {
    return this.#bytes
  }

  get last(): EntryId {
    return this.#last
  }

  /** Nothing leaves before this: the stream is this tap's own. `lasts`: what stands there; null: that is not known. */
  release(lasts: LastPositions | null): void {
    this.#lasts = lasts
    this.#isHeld = false
    this.#schedule()
  }

  /** The next entry; dropped when it is there already. */
  addEntry(entry: BuiltEntry): void {
    const { id, payload } = entry
    if (compareEntryIds(id, this.#last) <= 0) return
    this.#bytes += payload.length + ENTRY_OVERHEAD_BYTES
    this.#add({ kind: 'entry', ...entry })
    if (this.#isFull || this.#bytes < FULL_BYTES) return
    this.#isFull = true
    this.#options.onPressure(true)
  }

  /** Everything before `lsn` was added. */
  addMark(lsn: Lsn): void {
    this.#added = lsn
    this.#add({ kind: 'mark', lsn })
  }

  /** Where the models' tables stand from here on. Marks name it once it is sent: whoever reads it by its name has it. */
  addTables(text: string): void {
    this.#add({ kind: 'tables', text })
  }

  /**
   * The last entries of models, beside those that are added: what is added later is later. Dropped where the stream has come
   * beyond them: they were noted then, and what was noted since, with entries that are dropped now as well, is later.
   */
  addLasts(lasts: ReadonlyMap<string, ChangePosition>): void {
    const news = [...lasts].filter(([, end]) => compareEntryIds(entryIdOf(end), this.#last) > 0)
    if (news.length > 0) this.#add({ kind: 'lasts', lasts: new Map(news) })
  }

  /** Something that has to be written before what is added later. */
  addWrite(write: LogWrite): void {
    this.#add({ kind: 'write', write })
  }

  /** Says again where the stream stands, if nothing was said for a while: readers know that somebody writes. */
  beat(intervalMs: number): void {
    const isDue = this.#marked !== null && this.#nowMs() - this.#markedAtMs >= intervalMs
    if (isDue && this.#added !== null) this.addMark(this.#added)
  }

  /** Nothing leaves any more. */
  end(): void {
    this.#hasEnded = true
    this.#waiting = []
    this.#head = 0
  }

  #add(item: Item): void {
    if (this.#hasEnded) return
    // Of marks, and of documents, the newest stands for those right before it: they come however long the broker stalls.
    const isMergeable = item.kind === 'mark' || item.kind === 'tables'
    const isNext = this.#waiting.length > this.#head && this.#waiting.at(-1)?.kind === item.kind
    if (isMergeable && isNext) this.#waiting.pop()
    this.#waiting.push(item)
    this.#schedule()
  }

  /** In a microtask: what came with one chunk of the socket leaves together. */
  #schedule(): void {
    if (this.#isWriting || this.#isHeld || this.#hasEnded) return
    this.#isWriting = true
    queueMicrotask(this.#writeSoon)
  }

  async #write(): Promise<void> {
    while (this.#head < this.#waiting.length && !this.#hasEnded) {
      const batch = this.#takeBatch()
      await this.#send(batch)
    }
    this.#isWriting = false
  }

  #takeBatch(): readonly Item[] {
    const end = endOfBatch(this.#waiting, this.#head)
    const batch = this.#waiting.slice(this.#head, end)
    this.#head = end
    if (this.#head === this.#waiting.length || this.#head > 10_000) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return batch
  }

  async #send(items: readonly Item[]): Promise<void> {
    await this.#writer.ready()
    if (this.#hasEnded) return
    const { keys, onAccepted, onPressure } = this.#options
    const { writes, entries, mark } = this.#build(items)
    const committed = await this.#writer.commit(keys.changes, writes)
    if (committed.kind === 'lost')
      throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    if (committed.kind === 'contested')
      throw new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has taken the stream.')
    for (const { id, payload } of entries) {
      if (committed.refused.has(id)) await this.#checkIsThere(id, payload)
      else this.entryCount += 1
      this.#last = laterEntryId(this.#last, id)
    }
    if (this.#hasEnded) return
    for (const { payload } of entries) this.#bytes -= payload.length + ENTRY_OVERHEAD_BYTES
    if (mark !== null) {
      this.#marked = mark
      this.#markedAtMs = this.#nowMs()
    }
    if (this.#marked !== null) onAccepted(this.#marked, this.#last)
    if (!this.#isFull || this.#bytes > RELIEVED_BYTES) return
    this.#isFull = false
    onPressure(false)
  }

  #build(items: readonly Item[]): Batch {
    const { keys } = this.#options
    let mark: Lsn | null = null
    const writes: LogWrite[] = []
    const entries: BuiltEntry[] = []
    const lasts = new Map<string, ChangePosition>()
    const note = (model: string, position: ChangePosition): void => {
      lasts.set(model, position)
      this.#lasts?.note(model, position)
    }
    for (const item of items) {
      if (item.kind === 'mark') mark = item.lsn
      else if (item.kind === 'lasts') for (const [model, end] of item.lasts) note(model, end)
      else if (item.kind === 'write') writes.push(item.write)
      else if (item.kind === 'tables') writes.push(this.#tablesWrite(item.text))
      else {
        const { id, models } = item
        entries.push(item)
        writes.push(this.#entryWrite(item))
        for (const [model, index] of models ?? []) note(model, { commitLsn: id.lsn, index })
      }
    }
    if (lasts.size > 0) writes.push(noteLastPositions(keys, lasts))
    const last = entries.reduce((latest, { id }) => laterEntryId(latest, id), this.#last)
    if (mark !== null) writes.push(this.#markWrite(mark, last))
    return { writes, entries, mark }
  }

  #entryWrite({ id, payload, models }: BuiltEntry): LogWrite {
    const { changes: stream } = this.#options.keys
    const before = models?.size
      ? this.#lasts?.before(models.keys(), describeEntryAddress({ stream, id }))
      : null
    return { kind: 'entry', stream, id, payload, beside: before ?? null }
  }

  #tablesWrite(text: string): LogWrite {
    this.#tablesDigest = digestOfTables(text)
    return { kind: 'text', name: this.#options.keys.tables, text }
  }

  #markWrite(lsn: Lsn, last: EntryId): LogWrite {
    const { keys, writerId, seenNow } = this.#options
    const mark = { lsn, last, writer: writerId, tables: this.#tablesDigest, seen: seenNow?.() }
    return { kind: 'mark', stream: keys.marks, text: formatMark(mark, keys.marks) }
  }

  /** Another tap of this slot may have written the entry; whatever else stands at its id, or beyond it, is not ours. */
  async #checkIsThere(id: EntryId, payload: Buffer): Promise<void> {
    const { log, keys } = this.#options
    const [found] = await log.readEntries(keys.changes, { from: id, count: 1 })
    if (found !== undefined && compareEntryIds(found.id, id) === 0 && found.value.equals(payload)) return
    throw new RowcastError(
      'BROKER_STREAM_CONTESTED',
      'Redis refused an entry of the stream, and does not have it: somebody else writes to the stream.',
    )
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return
    this.end()
    const isKnown = error instanceof RowcastError
    this.#options.onFailure(
      isKnown ? error : new RowcastError('BROKER_LOST', 'Writing to Redis failed.', { cause: error }),
    )
  }
}
