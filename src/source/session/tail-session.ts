/**
 * Stage 5, source. Changes for looking at, beside the service and without taking anything from it: through a slot that
 * lives as long as its connection, made new for changes from now on, or copied from the service's for earlier ones.
 * Source: PostgreSQL manual, "CREATE_REPLICATION_SLOT … TEMPORARY", "pg_copy_logical_replication_slot".
 */
import type { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { moneyScaleMessage } from '../../catalog/money-scale.ts'
import type { ChangePosition, StreamOrigin } from '../../changes/change-position.ts'
import { RowcastError } from '../../errors.ts'
import { commitEndOf } from '../../pgoutput/peek-message.ts'
import { openReplicationConnection } from '../../wire/connection.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { LSN_ZERO, type Lsn, parseLsn, toLsn } from '../../wire/lsn.ts'
import { quoteIdentifier, quoteListedName, quoteLiteral } from '../../wire/quote.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'
import { MONEY_SCALE_SQL } from '../db/money-scale-sql.ts'
import { toStreamError } from './replication-error.ts'
import { RAW_TEXT_SQL } from './replication-form.ts'

/** What to read. */
export interface LookRequest {
  readonly target: DriverTarget
  readonly publication: string
  /** The slot whose changes to read again; null for changes from now on. */
  readonly slot: string | null
  /** Where the reader was; what the slot no longer has is a gap. Null: from the earliest that the slot has. */
  readonly after: { readonly origin: StreamOrigin; readonly position: ChangePosition } | null
  readonly applicationName: string
}

/** Where a stream begins. */
export interface LookStart {
  readonly origin: StreamOrigin
  readonly startLsn: Lsn
  /** WAL position of the server: what lies before it is a backlog. */
  readonly serverLsn: Lsn
}

/** Whom a stream notifies. */
export interface LookHandler {
  /** Before the first message. */
  onStart(start: LookStart): void
  /** One output-plugin message lies in `bytes[start, end)`. */
  onMessage(bytes: Buffer, start: number, end: number): void
  /** The stream has come this far. */
  onPosition?(lsn: Lsn): void
  /** Asked after each message: what to wait for before more is read; null for nothing. */
  backlog?(): Promise<void> | null
}

/** A stream that has begun. */
export interface LookStream {
  /** Resolves when the stream is over; rejects with the error that ended it. */
  readonly closed: Promise<void>
  close(): Promise<void>
}

/**
 * Opens a stream. Making a slot waits until the transactions that are open now have ended.
 * @throws SOURCE_WAL_LEVEL, SOURCE_PUBLICATION_MISSING, SOURCE_SLOT_MISSING, SOURCE_SLOT_INVALIDATED, RESYNC_REQUIRED,
 * and others of `source/db/sqlstate.ts`
 */
export async function openLookStream(request: LookRequest, handler: LookHandler): Promise<LookStream> {
  const { target, publication, applicationName } = request
  const names = { slot: request.slot ?? 'rowcast_look', publication }
  let connection: ReplicationConnection | null = null
  try {
    connection = await openReplicationConnection(target, { applicationName })
    const { systemId, timeline, flushedLsn } = await connection.identify()
    const origin = { systemId, timeline }
    const { moneyScale } = await checkServer(connection, publication)
    await connection.query(RAW_TEXT_SQL)
    const slot = await createTemporarySlot(connection, request, origin)
    handler.onStart({ origin, startLsn: slot.startLsn ?? flushedLsn, serverLsn: flushedLsn })
    const money = moneyScaleMessage(moneyScale)
    if (money !== null) handler.onMessage(money, 0, money.length)
    return await startStream(connection, handler, request, slot.name)
  } catch (error) {
    await connection?.close().catch(() => undefined)
    throw toStreamError(error, 'starting', target, names)
  }
}

/** Before a slot is made: PostgreSQL would report a missing publication at the first change only, or never. */
async function checkServer(
  connection: ReplicationConnection,
  publication: string,
): Promise<{ readonly moneyScale: number }> {
  const [server] = await connection.query<{ walLevel: string; isPublished: boolean; moneyScale: string }>(
    `SELECT current_setting('wal_level') AS "walLevel", ${MONEY_SCALE_SQL} AS "moneyScale",
            EXISTS (SELECT FROM pg_publication WHERE pubname = ${quoteLiteral(publication)}) AS "isPublished"`,
  )
  if (server?.walLevel !== 'logical') {
    throw new RowcastError('SOURCE_WAL_LEVEL', `The server runs with wal_level = ${server?.walLevel}.`)
  }
  if (!server.isPublished) {
    throw new RowcastError('SOURCE_PUBLICATION_MISSING', `There is no publication "${publication}".`, {
      hint: 'Run `rowcast enable`.',
    })
  }
  return { moneyScale: Number(server.moneyScale) }
}

/** A copy can be made while somebody reads the original, which keeps its place. */
async function createTemporarySlot(
  connection: ReplicationConnection,
  { slot, after }: LookRequest,
  origin: StreamOrigin,
): Promise<{ readonly name: string; readonly startLsn: Lsn | null }> {
  const name = `rowcast_look_${randomBytes(6).toString('hex')}`
  if (slot === null) {
    const sql = `CREATE_REPLICATION_SLOT ${quoteIdentifier(name)} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`
    await connection.query(sql, { isPatient: true })
    return { name, startLsn: null }
  }
  const [source] = await connection.query(
    `SELECT FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)}`,
  )
  if (source === undefined) {
    throw new RowcastError('SOURCE_SLOT_MISSING', `There is no replication slot "${slot}".`, {
      hint: 'Earlier changes are kept from the service’s first start on. Leave --from away for changes from now on.',
    })
  }
  await connection.query(
    `SELECT pg_copy_logical_replication_slot(${quoteLiteral(slot)}, ${quoteLiteral(name)}, true)`,
  )
  const [copy] = await connection.query<{ confirmed: string }>(
    `SELECT confirmed_flush_lsn::text AS "confirmed" FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(name)}`,
  )
  const startLsn = parseLsn(copy?.confirmed ?? '0/0')
  if (after !== null) checkNoGap(after, origin, startLsn, slot)
  return { name, startLsn }
}

function checkNoGap(
  after: NonNullable<LookRequest['after']>,
  origin: StreamOrigin,
  confirmedLsn: Lsn,
  slot: string,
): void {
  const isSameHistory = after.origin.systemId === origin.systemId && after.origin.timeline === origin.timeline
  if (isSameHistory && after.position.commitLsn >= confirmedLsn) return
  const why = isSameHistory
    ? `Slot "${slot}" no longer has all that came after the cursor.`
    : 'The cursor is of another server, or from before a failover.'
  throw new RowcastError('RESYNC_REQUIRED', why, {
    hint: 'Use --from earliest for what the slot still has.',
  })
}

async function startStream(
  connection: ReplicationConnection,
  handler: LookHandler,
  { publication, target }: LookRequest,
  slot: string,
): Promise<LookStream> {
  // The slot is ours alone: what was seen may go, so that a long look holds no WAL.
  let seenLsn = LSN_ZERO
  let isWaiting = false

  function see(lsn: Lsn): void {
    if (lsn <= seenLsn) return
    seenLsn = lsn
    handler.onPosition?.(lsn)
  }

  function waitFor(backlog: Promise<void>): void {
    isWaiting = true
    connection.pause()
    const goOn = (): void => {
      isWaiting = false
      connection.resume()
    }
    // Whoever wrote it hears of its failure where it is written.
    void backlog.then(goOn, goOn)
  }

  await connection.startStream(
    {
      slot,
      startLsn: LSN_ZERO,
      // As text, which every type has and which is its own explanation: a recording outlives the types of its database.
      options: { proto_version: '1', publication_names: quoteListedName(publication) },
    },
    {
      onWalData(bytes, start, end) {
        handler.onMessage(bytes, start, end)
        const ends = commitEndOf(bytes, start, end)
        if (ends !== null) see(toLsn(ends))
        const backlog = isWaiting ? null : (handler.backlog?.() ?? null)
        if (backlog !== null) waitFor(backlog)
      },
      onKeepalive: see,
      onNotice() {},
      confirmedLsn: () => seenLsn,
    },
  )
  return {
    closed: connection.closed.then((reason) => {
      if (reason !== null) throw toStreamError(reason, 'streaming', target, { slot, publication })
    }),
    close: () => connection.close(),
  }
}
