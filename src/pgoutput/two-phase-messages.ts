/**
 * Stage 2, pgoutput. Messages of protocol version 3: PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED.
 * Source of every byte table: PostgreSQL manual, "Logical Replication Message Formats".
 */
import type { Lsn } from '../wire/lsn.ts'

/**
 * A prepared transaction begins; stands where Begin would.
 *
 *      0  Byte1('b')
 *      1  Int64   prepareLsn        LSN of the prepare record
 *      9  Int64   endLsn            just past the prepare record
 *     17  Int64   preparedAtMicros  µs since 2000-01-01
 *     25  Int32   xid               unsigned
 *     29  String  gid               the name the user gave it
 */
export interface BeginPrepareMessage {
  readonly kind: 'begin-prepare'
  readonly prepareLsn: Lsn
  readonly endLsn: Lsn
  readonly preparedAtMicros: bigint
  readonly xid: number
  readonly gid: string
}

/** The fields of Prepare and Stream Prepare, which differ in their tag alone. */
interface PreparedFields {
  readonly prepareLsn: Lsn
  readonly endLsn: Lsn
  readonly preparedAtMicros: bigint
  readonly xid: number
  readonly gid: string
}

/**
 * The changes since Begin Prepare are prepared, not committed.
 *
 *      0  Byte1('P')
 *      1  Int8    flags             unused, 0
 *      2  Int64   prepareLsn        LSN of the prepare record
 *     10  Int64   endLsn            just past the prepare record
 *     18  Int64   preparedAtMicros  µs since 2000-01-01
 *     26  Int32   xid               unsigned
 *     30  String  gid
 */
export interface PrepareMessage extends PreparedFields {
  readonly kind: 'prepare'
}

/**
 * A streamed transaction is prepared (versions 3 and 4 with streaming): the bytes of Prepare after Byte1('p').
 */
export interface StreamPrepareMessage extends PreparedFields {
  readonly kind: 'stream-prepare'
}

/**
 * A prepared transaction committed, perhaps much later, on its own.
 *
 *      0  Byte1('K')
 *      1  Int8    flags              unused, 0
 *      2  Int64   commitLsn          LSN of the commit record
 *     10  Int64   endLsn             just past the commit record
 *     18  Int64   committedAtMicros  µs since 2000-01-01
 *     26  Int32   xid                unsigned
 *     30  String  gid
 */
export interface CommitPreparedMessage {
  readonly kind: 'commit-prepared'
  readonly commitLsn: Lsn
  readonly endLsn: Lsn
  readonly committedAtMicros: bigint
  readonly xid: number
  readonly gid: string
}

/**
 * A prepared transaction rolled back.
 *
 *      0  Byte1('r')
 *      1  Int8    flags               unused, 0
 *      2  Int64   prepareEndLsn       endLsn of its Prepare
 *     10  Int64   rollbackEndLsn      just past the rollback record
 *     18  Int64   preparedAtMicros    µs since 2000-01-01
 *     26  Int64   rolledBackAtMicros  µs since 2000-01-01
 *     34  Int32   xid                 unsigned
 *     38  String  gid
 */
export interface RollbackPreparedMessage {
  readonly kind: 'rollback-prepared'
  readonly prepareEndLsn: Lsn
  readonly rollbackEndLsn: Lsn
  readonly preparedAtMicros: bigint
  readonly rolledBackAtMicros: bigint
  readonly xid: number
  readonly gid: string
}
