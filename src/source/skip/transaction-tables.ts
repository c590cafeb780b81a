/**
 * Stage 5, source. Which tables a transaction wrote to, by the write-ahead log itself: logical decoding fails at a row that it
 * cannot convert, and never comes to what follows. The slot keeps the WAL that this takes.
 */
import type { Buffer } from 'node:buffer'
import { contain } from '../../guard.ts'
import { openReplicationConnection } from '../../wire/connection.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { LSN_ZERO, type Lsn } from '../../wire/lsn.ts'
import type { ReplicationConnection } from '../../wire/replication-connection.ts'
import type { SqlQueries } from '../db/sql.ts'
import { type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { WalRecordReader, type WalSizes } from './wal-records.ts'
import { type TransactionWrites, WritesCollector, type WritesFound } from './wal-writes.ts'

/** What is asked for. */
export interface TransactionRequest {
  /** Where its commit begins. */
  readonly commitLsn: Lsn
  /** WAL from here on holds all of it: what the slot keeps. */
  readonly fromLsn: Lsn
  /** All of it has been written before this. */
  readonly untilLsn: Lsn
  readonly applicationName: string
  /** How long it may take. */
  readonly timeoutMs: number
}

/** A table of the database. */
export interface WrittenTable {
  readonly schema: string
  readonly table: string
}

/** `no-commit`: no transaction commits there. `unknown`: the WAL does not say, or could not be read. */
export type TablesFound = readonly WrittenTable[] | 'no-commit' | 'unknown'

/** Reads them. Whatever keeps the WAL from being read makes the answer `unknown`. */
export async function readTransactionTables(
  target: DriverTarget,
  sql: SqlQueries,
  request: TransactionRequest,
): Promise<TablesFound> {
  const [server] = await sql.query<WalSizes & Pick<ServerFacts, 'serverVersion'> & { oid: string }>(
    `SELECT ${serverFactsSql(['serverVersion'])}, oid::text AS oid,
            current_setting('wal_block_size')::int AS "pageBytes",
            pg_size_bytes(current_setting('wal_segment_size'))::int AS "segmentBytes"
       FROM pg_database WHERE datname = current_database()`,
  )
  if (server === undefined) return 'unknown'
  const writes = await readWrites(target, request, server).catch(() => 'unknown' as const)
  if (writes === 'unknown') return writes
  if (writes === null) return 'no-commit'
  return nameTables(sql, writes, Number(server.oid))
}

async function readWrites(
  target: DriverTarget,
  request: TransactionRequest,
  server: WalSizes & Pick<ServerFacts, 'serverVersion'>,
): Promise<WritesFound> {
  const { applicationName, fromLsn, untilLsn, commitLsn, timeoutMs } = request
  const connection = await openReplicationConnection(target, { applicationName })
  const collector = new WritesCollector(commitLsn, server.serverVersion)
  const giveUp = () => connection.abort(new Error('It takes too long.'))
  const timer = setTimeout(
    contain(giveUp, (error) => connection.abort(error)),
    timeoutMs,
  )
  try {
    await readUntil(connection, fromLsn, (finish) => {
      const reader = new WalRecordReader(fromLsn, server, (record) => {
        collector.accept(record)
        if (record.lsn >= commitLsn) finish()
      })
      return (bytes, start, end) => {
        reader.push(bytes, start, end)
        if (reader.lsn >= untilLsn) finish()
      }
    })
    return collector.found
  } finally {
    clearTimeout(timer)
    await connection.close()
  }
}

type TakeWal = (bytes: Buffer, start: number, end: number) => void

/** Resolves once `finish` was called. It reports no position: nobody waits for this reader, nor does it count as a standby. */
async function readUntil(
  connection: ReplicationConnection,
  startLsn: Lsn,
  createTake: (finish: () => void) => TakeWal,
): Promise<void> {
  let finish = () => {}
  const finished = new Promise<'finished'>((resolve) => {
    finish = () => resolve('finished')
  })
  const take = createTake(finish)
  await connection.startStream(
    { kind: 'physical', startLsn },
    { onWalData: take, onKeepalive() {}, onNotice() {}, confirmedLsn: () => LSN_ZERO },
  )
  const end = await Promise.race([finished, connection.closed])
  if (end !== 'finished') throw end ?? new Error('The server ended the stream.')
}

/** A file of which no table is known any more, since it was dropped or written again, may have been any. */
async function nameTables(
  sql: SqlQueries,
  { files, truncated }: TransactionWrites,
  databaseOid: number,
): Promise<readonly WrittenTable[] | 'unknown'> {
  const ours = files.filter((file) => file.databaseOid === databaseOid)
  // Rows of a partition are changes of the model whose table is above it.
  const rows = await sql.query<{ schema: string | null; table: string | null }>(
    `WITH written(oid) AS (
       SELECT pg_filenode_relation(spc, node)::oid FROM unnest($1::oid[], $2::oid[]) AS file(spc, node)
       UNION SELECT unnest($3::oid[]))
     SELECT n.nspname::text AS "schema", c.relname::text AS "table"
       FROM (SELECT oid FROM written
             UNION SELECT above.relid FROM written, pg_partition_ancestors(written.oid) AS above(relid)) AS touched
       LEFT JOIN pg_class c USING (oid) LEFT JOIN pg_namespace n ON n.oid = c.relnamespace`,
    [ours.map(({ tablespaceOid }) => tablespaceOid), ours.map(({ fileNode }) => fileNode), truncated],
  )
  const named: WrittenTable[] = []
  for (const { schema, table } of rows) {
    if (schema === null || table === null) return 'unknown'
    named.push({ schema, table })
  }
  return named
}
