/**
 * Beside the bus, broker. Entries → Redis, in batches: each is one MULTI, and the next leaves when the last was answered.
 * So a batch is there as a whole or not at all, and none can arrive after one that was refused. Says what Redis has
 * accepted, and when too much waits. Source: Redis documentation, "Transactions".
 */
import type { Buffer } from 'node:buffer'
import type { ChangePosition } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { contain } from '../guard.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { BuiltEntry } from './built-entry.ts'
import { describePlace } from './entry-codec.ts'
import { compareEntryIds, type EntryId, entryIdOf, formatEntryId, laterEntryId } from './entry-id.ts'
import { type LastPositions, noteLastPositions } from './last-positions.ts'
import { formatMark } from './mark.ts'
import { type RedisConnection, type RedisReply, sendTransaction } from './redis/redis-connection.ts'
import { ENTRY_FIELD, LASTS_FIELD, toRawEntries } from './redis/stream-reply.ts'
import type { WriteFence } from './redis/write-fence.ts'
import type { EpochKeys } from './stream-keys.ts'
import { digestOfTables } from './table-states.ts'
import { endOfBatch, type Item } from './writer-batch.ts'

/** What a writer needs. */
export interface StreamWriterOptions {
  readonly connection: RedisConnection
  readonly keys: EpochKeys
  /** What keeps out whoever writes no longer; the stream has been taken by `release()`. */
  readonly fence: WriteFence
  /** Who writes, for those who read marks. */
  readonly writerId: string
  /** Entries up to here are there already. */
  readonly last: EntryId
  /** Everything before `lsn` is in the stream, whose last entry is `last`. */
  readonly onAccepted: (lsn: Lsn, last: EntryId) => void
  readonly onPressure: (isFull: boolean) => void
  readonly onFailure: (error: RowcastError) => void
}

/** An entry of a batch; `at` is the index of its answer. */
interface SentEntry {
  readonly id: EntryId
  readonly at: number
  readonly payload: Buffer
}

/** Undelivered bytes at which reading from PostgreSQL pauses, and goes on. */
const FULL_BYTES = 16 * 1024 * 1024
const RELIEVED_BYTES = 8 * 1024 * 1024
/** An entry's cost beside its payload. */
const ENTRY_OVERHEAD_BYTES = 200

/** Writes to one epoch over one connection; it ends with the first failure. */
export class StreamWriter {
  readonly #options: StreamWriterOptions
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
  /** Resolves once the stream is known to be ours still. */
  #guarded: Promise<void> = Promise.resolve()
  #marked: Lsn | null = null
  #markedAtMs = 0
  /** Of the document about the models' tables that was sent last. */
  #tablesDigest: string | null = null
  entryCount = 0

  constructor(options: StreamWriterOptions) {
    this.#options = options
    this.#last = options.last
  }

  /** Bytes that Redis has not accepted yet. */
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
    this.#guard()
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

  /** A command that has to arrive before what is added later. */
  addCommand(args: readonly (string | Buffer)[]): void {
    this.#add({ kind: 'command', args })
  }

  /** Says again where the stream stands, if nothing was said for a while: readers know that somebody writes. */
  beat(intervalMs: number): void {
    const isDue = this.#marked !== null && performance.now() - this.#markedAtMs >= intervalMs
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
    // Of marks, and of documents, the newest stands for those right before it: they come however long Redis stalls.
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

  #guard(): void {
    this.#guarded = this.#options.fence.watch()
    // The next batch waits for it.
    this.#guarded.catch(() => {})
  }

  async #send(batch: readonly Item[]): Promise<void> {
    await this.#guarded
    if (this.#hasEnded) return
    const { connection, keys } = this.#options
    let mark: Lsn | null = null
    const commands: (readonly (string | Buffer)[])[] = []
    const entries: SentEntry[] = []
    const lasts = new Map<string, ChangePosition>()
    const note = (model: string, position: ChangePosition): void => {
      lasts.set(model, position)
      this.#lasts?.note(model, position)
    }
    for (const item of batch) {
      if (item.kind === 'mark') mark = item.lsn
      else if (item.kind === 'lasts') for (const [model, end] of item.lasts) note(model, end)
      else if (item.kind === 'command') commands.push(item.args)
      else if (item.kind === 'tables') commands.push(this.#tablesCommand(item.text))
      else {
        const { id, payload, models } = item
        entries.push({ id, at: commands.length, payload })
        commands.push(this.#entryCommand(item))
        for (const [model, index] of models ?? []) note(model, { commitLsn: id.lsn, index })
      }
    }
    if (lasts.size > 0) commands.push(noteLastPositions(keys, lasts))
    const last = entries.reduce((latest, { id }) => laterEntryId(latest, id), this.#last)
    if (mark !== null) commands.push(this.#markCommand(mark, last))
    const sent = sendTransaction(connection, commands)
    this.#guard()
    const replies = await sent
    if (replies === null) throw await this.#options.fence.explain(keys.changes)
    await this.#check(replies, entries)
    if (this.#hasEnded) return
    for (const { payload } of entries) this.#bytes -= payload.length + ENTRY_OVERHEAD_BYTES
    if (mark !== null) {
      this.#marked = mark
      this.#markedAtMs = performance.now()
    }
    if (this.#marked !== null) this.#options.onAccepted(this.#marked, this.#last)
    if (!this.#isFull || this.#bytes > RELIEVED_BYTES) return
    this.#isFull = false
    this.#options.onPressure(false)
  }

  #entryCommand({ id, payload, models }: BuiltEntry): readonly (string | Buffer)[] {
    const { changes } = this.#options.keys
    const before = models?.size
      ? this.#lasts?.before(models.keys(), describePlace({ stream: changes, id }))
      : null
    const beside = before == null ? [] : [LASTS_FIELD, before]
    return ['XADD', changes, 'NOMKSTREAM', formatEntryId(id), ENTRY_FIELD, payload, ...beside]
  }

  #tablesCommand(text: string): readonly string[] {
    this.#tablesDigest = digestOfTables(text)
    return ['SET', this.#options.keys.tables, text]
  }

  #markCommand(lsn: Lsn, last: EntryId): readonly string[] {
    const { keys, writerId } = this.#options
    const mark = formatMark({ lsn, last, writer: writerId, tables: this.#tablesDigest }, keys.marks)
    return ['XADD', keys.marks, 'MAXLEN', '1', '*', 'm', mark]
  }

  /** A stream that is gone takes nothing. An entry that was refused counts only when the very same is there. */
  async #check(replies: RedisReply, entries: readonly SentEntry[]): Promise<void> {
    if (!Array.isArray(replies)) throw new RowcastError('BROKER_LOST', 'Redis answered EXEC with no answers.')
    for (const { id, at, payload } of entries) {
      const reply = (replies as readonly RedisReply[])[at]
      if (reply === null) {
        throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
      }
      if (reply instanceof Error) await this.#checkIsThere(id, payload, reply)
      else this.entryCount += 1
      this.#last = laterEntryId(this.#last, id)
    }
  }

  /** Another tap of this slot may have written the entry; whatever else stands at its id, or beyond it, is not ours. */
  async #checkIsThere(id: EntryId, payload: Buffer, refusal: Error): Promise<void> {
    const { connection, keys } = this.#options
    const at = formatEntryId(id)
    const [found] = toRawEntries(await connection.send(['XRANGE', keys.changes, at, at]))
    if (found?.value.equals(payload)) return
    throw new RowcastError(
      'BROKER_STREAM_CONTESTED',
      'Redis refused an entry of the stream, and does not have it: somebody else writes to the stream.',
      { cause: refusal },
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
