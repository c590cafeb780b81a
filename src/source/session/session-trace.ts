/**
 * Stage 5, source. Where a stream was when it broke: a change that PostgreSQL cannot send ends the stream with an error
 * that names neither table nor transaction.
 */
import type { Buffer } from 'node:buffer'
import { errorEntry, RowcastError } from '../../errors.ts'
import { decodeMessage } from '../../pgoutput/decode.ts'
import { isBegin, isCommit, isRelation, rowRelationOf } from '../../pgoutput/peek-message.ts'
import { formatLsn, LSN_ZERO, type Lsn, parseLsn, toLsn } from '../../wire/lsn.ts'
import { sqlstateOf } from '../db/sqlstate.ts'

/** Classes of SQLSTATE that a single row can cause: data, functions, types, and what PostgreSQL finds damaged. */
const ROW_CLASSES: ReadonlySet<string> = new Set(['0A', '21', '22', '38', '39', '42', 'P0', 'XX'])

/**
 * Of those classes, and no row's fault: the publication is not there. PostgreSQL 14 says so within the first transaction,
 * later versions before it.
 */
const UNDEFINED_OBJECT = '42704'

/** A timeline of a database cluster: positions of another one say nothing. */
interface TracedServer {
  readonly systemId: string
  readonly timeline: number
}

/** One for each stream. */
export class StreamTrace {
  #server: TracedServer | null = null
  /** The last transaction that this stream, or one before it, has brought whole. */
  #wholeLsn: Lsn = LSN_ZERO
  #openLsn: Lsn | null = null
  #table: string | null = null
  #tableOid: number | null = null
  /** Relations that the open transaction has brought rows of. */
  readonly #written = new Set<number>()
  /** The table was described and no change of it has come: the change that PostgreSQL failed at is one of it. */
  #isDescribedOnly = false
  #hasDelivered = false
  /** OIDs of the tables that this stream has described. */
  readonly #described = new Set<number>()

  /** The trace of the next stream: what it brings once more is no progress. */
  next(server: TracedServer): StreamTrace {
    const trace = new StreamTrace()
    const { systemId, timeline } = server
    trace.#server = { systemId, timeline }
    if (this.#server?.systemId === systemId && this.#server.timeline === timeline)
      trace.#wholeLsn = this.#wholeLsn
    return trace
  }

  /** Whether a transaction has come whole and was taken that no stream before this one had brought. */
  get hasDelivered(): boolean {
    return this.#hasDelivered
  }

  /** Where the last transaction commits that this stream, or one before it, has brought whole. */
  get wholeLsn(): Lsn {
    return this.#wholeLsn
  }

  /** The table that was described last; null before the first. */
  get table(): string | null {
    return this.#table
  }

  /**
   * Sees each message before anybody else; most are not decoded for it.
   * @returns whether a table is described once more, as PostgreSQL does when its catalog entries have changed
   */
  accept(bytes: Buffer, start: number, end: number): boolean {
    const oid = rowRelationOf(bytes, start)
    if (oid !== null) {
      this.#isDescribedOnly = false
      this.#written.add(oid)
      return false
    }
    return (isBegin(bytes, start) || isRelation(bytes, start)) && this.#note(bytes, start, end)
  }

  /** Sees it once more when it was taken: most changes are handed on with the commit of their transaction. */
  taken(bytes: Buffer, start: number): void {
    if (!isCommit(bytes, start) || this.#openLsn === null) return
    if (this.#openLsn > this.#wholeLsn) {
      this.#wholeLsn = this.#openLsn
      this.#hasDelivered = true
    }
    this.#openLsn = null
  }

  #note(bytes: Buffer, start: number, end: number): boolean {
    const message = decodeMessage(bytes, start, end)
    if (message.kind === 'begin') {
      this.#openLsn = message.finalLsn
      this.#written.clear()
    }
    if (message.kind !== 'relation') return false
    const isDescribedAgain = this.#described.has(message.oid)
    this.#described.add(message.oid)
    this.#table = `${message.schema}.${message.table}`
    this.#tableOid = message.oid
    this.#isDescribedOnly = true
    return isDescribedAgain
  }

  /**
   * OIDs of the relations that the open transaction has come to: the one whose change failed is among them where the stream
   * began with this transaction.
   */
  get relationOids(): readonly number[] {
    const described = this.#isDescribedOnly && this.#tableOid !== null ? [this.#tableOid] : []
    return [...this.#written, ...described]
  }

  /** The error of a change that cannot be sent; null where the error is no such one. */
  explain(error: RowcastError): RowcastError | null {
    if (this.#openLsn === null) return null
    const commitLsn = formatLsn(this.#openLsn)
    const skipTo = formatLsn(toLsn(this.#openLsn + 1n))
    if (error.code === 'SOURCE_DELIVERY_FAILED') {
      return new RowcastError(
        error.code,
        `${error.happened} It is in the transaction that commits at ${commitLsn}.`,
        {
          hint: `Look for the id ${String(error.details['id'])} in the log; where it fails again and again, report it, and give the transaction up: \`rowcast skip --to ${skipTo} --yes\`.`,
          details: { ...error.details, table: this.#table, commitLsn, skipTo },
        },
      )
    }
    const sqlstate = sqlstateOf(error)
    if (sqlstate === null || sqlstate === UNDEFINED_OBJECT || !ROW_CLASSES.has(sqlstate.slice(0, 2)))
      return null
    const where =
      this.#table === null
        ? ''
        : this.#isDescribedOnly
          ? ` of ${this.#table}`
          : ` after one of ${this.#table}`
    return new RowcastError(
      'SOURCE_ROW_UNREADABLE',
      `PostgreSQL cannot send a change${where} (SQLSTATE ${sqlstate}), in the transaction that commits at ${commitLsn}.`,
      {
        hint: `Correct what the type or the encoding of the row lacks; or give the transaction up: \`rowcast skip --to ${skipTo} --yes\`.`,
        details: { sqlstate, table: this.#table, commitLsn, skipTo },
      },
    )
  }
}

/** Whether the stream still stands before the transaction that could not be sent. */
export function isStillBefore(error: RowcastError | null, safeLsn: Lsn): boolean {
  if (error === null || errorEntry(error.code).concerns !== 'transaction') return false
  const { commitLsn } = error.details
  return typeof commitLsn === 'string' && safeLsn <= parseLsn(commitLsn)
}
