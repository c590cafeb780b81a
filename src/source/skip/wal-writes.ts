/**
 * Stage 5, source. WAL records → the relations that one transaction wrote rows of, its subtransactions' included. Pure.
 * Source: PostgreSQL's access/xlogrecord.h (XLogRecordBlockHeader), xact.h (xl_xact_commit), heapam_xlog.h.
 */
import type { Buffer } from 'node:buffer'
import type { Lsn } from '../../wire/lsn.ts'
import { HEAP, HEAP2, type WalRecord, XACT } from './wal-records.ts'

/** A relation by its file. */
export interface RelationFile {
  readonly tablespaceOid: number
  readonly databaseOid: number
  readonly fileNode: number
}

/** What a transaction wrote. */
export interface TransactionWrites {
  readonly files: readonly RelationFile[]
  /** Tables that it emptied, by OID. */
  readonly truncated: readonly number[]
}

/** What has come of the transaction so far; `unknown`: it has committed, and what it wrote cannot be said. */
export type WritesFound = TransactionWrites | 'unknown' | null

/** Transactions and relations that are remembered at once. */
const REMEMBERED_MAX = 1_000_000
const INSERT = 0x00
const TRUNCATE = 0x30
const ROW_WRITES: ReadonlySet<number> = new Set([INSERT, 0x10, 0x20, 0x40]) // insert, delete, update, hot update
const MULTI_INSERT = 0x50
const OPERATION = 0x70
const COMMIT = 0x00
const ENDS: ReadonlySet<number> = new Set([COMMIT, 0x20]) // commit, abort

/** Collects them up to the commit at a position. */
export class WritesCollector {
  readonly #commitLsn: Lsn
  readonly #isCompressed: (imageInfo: number) => boolean
  readonly #byXid = new Map<number, Map<string, RelationFile | number>>()
  #remembered = 0
  #isOver = false
  #found: WritesFound = null

  constructor(commitLsn: Lsn, serverVersion: number) {
    this.#commitLsn = commitLsn
    this.#isCompressed = serverVersion >= 150_000 ? (info) => (info & 0x1c) !== 0 : (info) => (info & 2) !== 0
  }

  /** Null as long as the commit has not come. */
  get found(): WritesFound {
    return this.#found
  }

  accept(record: WalRecord): void {
    const { resource, xid } = record
    if (resource === XACT) this.#acceptEnd(record)
    else if (xid !== 0) this.#acceptWrite(record)
  }

  #acceptEnd({ body, bodyBytes, info, lsn, xid }: WalRecord): void {
    const isOurs = lsn === this.#commitLsn
    const operation = info & OPERATION
    if (!ENDS.has(operation)) {
      // Of a prepared transaction the commit does not begin with its name.
      if (isOurs && operation === 0x30) this.#found = 'unknown'
      return
    }
    const isWhole = body.length === bodyBytes
    const xids = isWhole ? [xid, ...subtransactionsOf(body, info, this.#isCompressed)] : [xid]
    if (isOurs && operation === COMMIT)
      this.#found = isWhole && !this.#isOver ? this.#writesOf(xids) : 'unknown'
    for (const each of xids) {
      this.#remembered -= this.#byXid.get(each)?.size ?? 0
      this.#byXid.delete(each)
    }
  }

  #acceptWrite({ resource, info, body, bodyBytes, xid }: WalRecord): void {
    const operation = info & OPERATION
    if (
      resource === HEAP2 ? operation !== MULTI_INSERT : !ROW_WRITES.has(operation) && operation !== TRUNCATE
    )
      return
    const { files, mainBytes } = readHeaders(body, this.#isCompressed)
    if (resource === HEAP && operation === TRUNCATE) {
      const from = bodyBytes - mainBytes
      if (bodyBytes !== body.length) this.#isOver = true
      else for (const oid of truncatedOids(body, from)) this.#remember(xid, `oid ${oid}`, oid)
    }
    for (const file of files)
      this.#remember(xid, `${file.tablespaceOid}/${file.databaseOid}/${file.fileNode}`, file)
  }

  #remember(xid: number, key: string, written: RelationFile | number): void {
    const known = this.#byXid.get(xid) ?? new Map<string, RelationFile | number>()
    if (known.has(key)) return
    this.#isOver ||= this.#remembered >= REMEMBERED_MAX
    if (this.#isOver) return
    this.#byXid.set(xid, known)
    known.set(key, written)
    this.#remembered += 1
  }

  #writesOf(xids: readonly number[]): TransactionWrites {
    const all = new Map(xids.flatMap((xid) => [...(this.#byXid.get(xid) ?? [])]))
    const written = [...all.values()]
    return {
      files: written.filter((each) => typeof each !== 'number'),
      truncated: written.filter((each) => typeof each === 'number'),
    }
  }
}

const BLOCK_ID_MAX = 32
const MAIN_SHORT = 0xff
const MAIN_LONG = 0xfe
const ORIGIN = 0xfd
const TOP_LEVEL_XID = 0xfc
const HAS_IMAGE = 0x10
const SAME_RELATION = 0x80
const HAS_HOLE = 0x01

interface Headers {
  readonly files: readonly RelationFile[]
  /** Of the data at the end of the record. */
  readonly mainBytes: number
}

/** The headers of blocks, up to that of the main data, which is the last one. */
function readHeaders(body: Buffer, isCompressed: (imageInfo: number) => boolean): Headers {
  const files: RelationFile[] = []
  let at = 0
  while (at < body.length) {
    const id = body[at] as number
    at += 1
    if (id === MAIN_SHORT) return { files, mainBytes: body.readUInt8(at) }
    if (id === MAIN_LONG) return { files, mainBytes: body.readUInt32LE(at) }
    if (id === ORIGIN) at += 2
    else if (id === TOP_LEVEL_XID) at += 4
    else if (id > BLOCK_ID_MAX) break
    else {
      const flags = body.readUInt8(at)
      at += 3
      if ((flags & HAS_IMAGE) !== 0) {
        const imageInfo = body.readUInt8(at + 4)
        at += (imageInfo & HAS_HOLE) !== 0 && isCompressed(imageInfo) ? 7 : 5
      }
      if ((flags & SAME_RELATION) === 0) {
        const [tablespaceOid, databaseOid] = [body.readUInt32LE(at), body.readUInt32LE(at + 4)]
        files.push({ tablespaceOid, databaseOid, fileNode: body.readUInt32LE(at + 8) })
        at += 12
      }
      at += 4
    }
  }
  return { files, mainBytes: 0 }
}

const HAS_INFO = 0x80
const HAS_DATABASE = 1
const HAS_SUBTRANSACTIONS = 2

/** xl_xact_commit and xl_xact_abort begin alike: time, what follows, database, subtransactions. */
function subtransactionsOf(
  body: Buffer,
  info: number,
  isCompressed: (imageInfo: number) => boolean,
): readonly number[] {
  if ((info & HAS_INFO) === 0) return []
  let at = body.length - readHeaders(body, isCompressed).mainBytes + 8
  const follows = body.readUInt32LE(at)
  at += 4
  if ((follows & HAS_DATABASE) !== 0) at += 8
  if ((follows & HAS_SUBTRANSACTIONS) === 0) return []
  const count = body.readInt32LE(at)
  return Array.from({ length: count }, (_, index) => body.readUInt32LE(at + 4 + index * 4))
}

/** xl_heap_truncate: database, number of relations, flags, and their OIDs. */
function truncatedOids(body: Buffer, from: number): readonly number[] {
  const count = body.readUInt32LE(from + 4)
  return Array.from({ length: count }, (_, index) => body.readUInt32LE(from + 12 + index * 4))
}
