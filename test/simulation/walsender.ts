/** The model's decoder and sender: committed transactions after a position, in pgoutput's bytes, as fast as the link takes them. */
import { Buffer } from 'node:buffer'
import type { TupleColumn } from '../../src/pgoutput/tuple.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { binary, encodeMessage, type MessageSpec, text } from '../support/message-builder.ts'
import {
  type Database,
  FOREIGN_COLUMN,
  FOREIGN_VALUE,
  type LogicalMessage,
  OTHER_NAME,
  type Row,
  type Slot,
  type WalRecord,
  type Write,
} from './database.ts'
import type { PostgresSession } from './postgres-session.ts'

/** What it needs. */
export interface WalsenderOptions {
  readonly database: Database
  readonly slot: Slot
  readonly session: PostgresSession
  readonly startLsn: bigint
  readonly isBinary: boolean
}

/** Bytes under way at which a walsender waits for its reader. */
const WINDOW_BYTES = 4_096
const RETRY_MS = 2
const TIMEOUT_MS = 10_000
const PG_EPOCH_MS = 946_684_800_000

export class Walsender {
  readonly #options: WalsenderOptions
  /** Of the WAL: the next record. */
  #next: number
  #sentLsn: bigint
  /** Tables it has described, by what it said. */
  readonly #described = new Map<number, string>()
  #timer: NodeJS.Timeout | null = null
  readonly #watch: NodeJS.Timeout
  #lastReplyMs = performance.now()
  #hasAsked = false

  constructor(options: WalsenderOptions) {
    this.#options = options
    const { startLsn, database } = options
    this.#sentLsn = startLsn
    const next = database.wal.findIndex((record) => isSent(record, startLsn))
    this.#next = next < 0 ? database.wal.length : next
    this.#watch = setInterval(() => this.#look(), 1_000)
  }

  stop(): void {
    const { slot, session } = this.#options
    if (slot.activePid === session.pid) slot.activePid = null
    if (this.#timer !== null) clearTimeout(this.#timer)
    clearInterval(this.#watch)
  }

  /** Sends what there is, as far as the link has room. */
  pump(): void {
    if (this.#timer !== null) return
    const { database, session, startLsn } = this.#options
    while (this.#next < database.wal.length) {
      if (session.link.backlog > WINDOW_BYTES) {
        this.#timer = setTimeout(() => {
          this.#timer = null
          this.pump()
        }, RETRY_MS)
        return
      }
      const record = database.wal[this.#next] as WalRecord
      this.#next += 1
      if (isSent(record, startLsn)) this.#send(record)
      if (record.endLsn > this.#sentLsn) this.#sentLsn = record.endLsn
    }
    this.#keepalive(false)
  }

  takeStatus(body: Buffer): void {
    this.#lastReplyMs = performance.now()
    this.#hasAsked = false
    const { slot } = this.#options
    const flushed = body.readBigUInt64BE(9)
    if (flushed > this.#sentLsn)
      this.#options.session.onFault(
        new Error(
          `${flushed.toString(16)} is confirmed, and nothing beyond ${this.#sentLsn.toString(16)} was sent. Not safe.`,
        ),
      )
    if (flushed > slot.confirmedLsn) slot.confirmedLsn = flushed
    if (body[33] === 1) this.#keepalive(false)
  }

  #look(): void {
    const silentMs = performance.now() - this.#lastReplyMs
    if (silentMs >= TIMEOUT_MS) this.#options.session.close()
    else if (silentMs >= TIMEOUT_MS / 2 && !this.#hasAsked) {
      this.#hasAsked = true
      this.#keepalive(true)
    }
  }

  #keepalive(isReplyWanted: boolean): void {
    const head = Buffer.alloc(18)
    head.write('k')
    head.writeBigUInt64BE(this.#sentLsn, 1)
    head.writeBigInt64BE(pgMicros(Date.now()), 9)
    head[17] = isReplyWanted ? 1 : 0
    this.#options.session.copyData(head)
  }

  #send(record: WalRecord): void {
    if (record.kind === 'message') this.#sendMessage(record.message, false)
    if (record.kind !== 'commit') return
    const { commitLsn, endLsn, xid, atMs } = record
    const items = record.items.filter((item) => !('model' in item) || item.isPublished)
    // An empty transaction is not sent.
    if (items.length === 0) return
    const committedAtMicros = pgMicros(atMs)
    this.#message({ kind: 'begin', finalLsn: toLsn(commitLsn), committedAtMicros, xid })
    for (const item of items) {
      if ('model' in item) this.#sendWrite(item)
      else this.#sendMessage(item, true)
    }
    this.#message({ kind: 'commit', commitLsn: toLsn(commitLsn), endLsn: toLsn(endLsn), committedAtMicros })
  }

  #sendMessage({ prefix, content, lsn }: LogicalMessage, isTransactional: boolean): void {
    this.#message({
      ...{ kind: 'message', streamXid: null, isTransactional, lsn: toLsn(lsn), prefix },
      content: Buffer.from(content),
    })
  }

  #sendWrite(write: Write): void {
    this.#describe(write)
    if (write.action === 'TRUNCATE') {
      const options = { isCascade: false, isRestartIdentity: false }
      this.#message({ kind: 'truncate', streamXid: null, relationOids: [write.oid], ...options })
      return
    }
    const own = { streamXid: null, relationOid: write.oid }
    const tuple = (row: Row | null) => this.#tuple(write, row)
    if (write.action === 'INSERT')
      this.#message({ kind: 'insert', ...own, oldKind: 'none', old: null, new: tuple(write.new) })
    else if (write.action === 'UPDATE')
      this.#message({ kind: 'update', ...own, oldKind: 'full', old: tuple(write.old), new: tuple(write.new) })
    else this.#message({ kind: 'delete', ...own, oldKind: 'full', old: tuple(write.old), new: null })
  }

  #describe({ oid, model, columns }: Write): void {
    const said = JSON.stringify(columns.map(({ name, type }) => [name, type]))
    // Whenever its caches were emptied PostgreSQL says it again.
    if (this.#described.get(oid) === said && !this.#options.database.random.chance(0.1)) return
    this.#described.set(oid, said)
    this.#message({
      ...{
        kind: 'relation',
        streamXid: null,
        oid,
        schema: 'public',
        table: model.toLowerCase(),
        replicaIdentity: 'full',
      },
      columns: columns.map(({ name, type }) => ({
        name,
        typeOid: type === 'int4' ? 23 : 25,
        typeModifier: -1,
        isKey: true,
      })),
    })
  }

  #tuple({ columns }: Write, row: Row | null): TupleColumn[] {
    return columns.map(({ name, type }) => {
      const value = columnValue(row, name)
      if (value === null) return null
      if (!this.#options.isBinary || typeof value === 'string' || type === 'text') {
        const column = text(String(value))
        return this.#options.isBinary && column !== null && typeof column === 'object'
          ? { ...column, format: 'binary' }
          : column
      }
      return binary(value >> 24, value >> 16, value >> 8, value)
    })
  }

  #message(spec: MessageSpec): void {
    const head = Buffer.alloc(25)
    head.write('w')
    head.writeBigUInt64BE(this.#sentLsn, 1)
    head.writeBigUInt64BE(this.#options.database.endLsn, 9)
    head.writeBigInt64BE(pgMicros(Date.now()), 17)
    this.#options.session.copyData(head, Buffer.from(encodeMessage(spec)))
  }
}

/** What a row has in a column, whatever that is called meanwhile. */
function columnValue(row: Row | null, column: string): Row[string] {
  if (column === FOREIGN_COLUMN) return FOREIGN_VALUE
  return row?.[column === OTHER_NAME ? 'name' : column] ?? null
}

/** Where the record begins counts: that of the commit, for a transaction. Source: SnapBuildXactNeedsSkip in snapbuild.c. */
function isSent(record: WalRecord, startLsn: bigint): boolean {
  if (record.kind === 'noise') return false
  return (record.kind === 'commit' ? record.commitLsn : record.startLsn) >= startLsn
}

function pgMicros(unixMs: number): bigint {
  return BigInt(Math.round(unixMs - PG_EPOCH_MS)) * 1000n
}
