/** Beside the spine, cli. What the server's version, settings and slots mean for changes. Pure. */

import { describeWalHolders, HELD_BYTES_HIGH } from '../../source/slot/wal-holders.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import { type Examination, type Finding, formatBytes, type Severity } from './examination.ts'
import type { FindingCode } from './finding-codes.ts'

/** WAL from which a slot that nobody reads is a danger. */
const IDLE_BYTES_HIGH = 1024 * 1024 * 1024

type Add = (code: FindingCode, severity: Severity, why: string, hint: string) => void

/** What concerns all models. */
export function serverFindings(examination: Examination): Finding[] {
  const found: Finding[] = []
  const add: Add = (code, severity, why, hint) => found.push({ code, severity, model: null, why, hint })
  addVersion(examination, add)
  addCapacity(examination, add)
  addSettings(examination, add)
  addIdleSlots(examination, add)
  addHeldWal(examination, add)
  return found
}

function addVersion({ doctor: { server }, facts }: Examination, add: Add): void {
  if (facts.serverVersion < 140_000) {
    const why = `The server runs PostgreSQL ${server.version}; 14 is the oldest that rowcast supports.`
    add('POSTGRES_TOO_OLD', 'error', why, 'Upgrade PostgreSQL.')
  }
  if (server.isInRecovery) {
    add(
      ...(['POSTGRES_IS_STANDBY', 'warning'] as const),
      'The server is a standby: nothing can be set up there.',
      'Let DATABASE_URL name the primary. To read from a standby (PostgreSQL 16 and later), set up on the primary and make the slot here by hand: docs/postgres-scenarios.md.',
    )
  }
}

function addCapacity({ doctor: { server }, facts }: Examination, add: Add): void {
  if (facts.slot === null && server.replicationSlotsUsed >= server.replicationSlotsMax) {
    add(
      ...(['NO_SLOT_LEFT', 'error'] as const),
      `All ${server.replicationSlotsMax} replication slots are in use.`,
      `Drop one that nobody needs (SELECT slot_name FROM pg_replication_slots WHERE NOT active;), or run ALTER SYSTEM SET max_replication_slots = ${server.replicationSlotsMax + 10}; and restart.`,
    )
  }
  if (facts.slot?.activePid == null && server.walSendersUsed >= server.walSendersMax) {
    add(
      ...(['NO_SENDER_LEFT', 'error'] as const),
      `All ${server.walSendersMax} WAL senders are in use.`,
      `Run ALTER SYSTEM SET max_wal_senders = ${server.walSendersMax + 10}; and restart.`,
    )
  }
}

function addSettings({ doctor: { server } }: Examination, add: Add): void {
  if (!server.isSlotWalLimited) {
    add(
      ...(['SLOT_WAL_UNLIMITED', 'warning'] as const),
      'PostgreSQL keeps WAL for a slot that nobody reads, without a limit, until the disk is full.',
      "Run ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf(); or set `slotBudget` in the config, which works while the service runs.",
    )
  }
  if (server.synchronousCommit === 'off') {
    add(
      ...(['SYNCHRONOUS_COMMIT_OFF', 'advice'] as const),
      'With synchronous_commit = off a change is sent once the WAL writer has written it: 0.1 to 0.2 s after its commit.',
      'Where that matters, run ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf(); or SET LOCAL synchronous_commit = on; in the transactions that matter.',
    )
  }
  if (server.walSenderTimeoutMs > 0 && server.walSenderTimeoutMs < 5_000) {
    add(
      ...(['SENDER_TIMEOUT_SHORT', 'warning'] as const),
      `wal_sender_timeout is ${server.walSenderTimeoutMs} ms: a pause of the service that long ends the stream.`,
      "Run ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();",
    )
  }
}

function addIdleSlots({ doctor: { server }, goal, source }: Examination, add: Add): void {
  for (const { name, retainedBytes } of server.idleSlots) {
    // What the primary has under that name is from before the standby had the slot.
    const isOurs = name === goal.slot && source.standby === undefined
    const held = retainedBytes === null ? '' : `, which holds ${formatBytes(retainedBytes)} of WAL`
    const drop = `SELECT pg_drop_replication_slot(${quoteLiteral(name)});`
    add(
      isOurs ? 'SLOT_UNREAD' : 'SLOT_IDLE',
      (retainedBytes ?? 0) > IDLE_BYTES_HIGH ? 'warning' : 'advice',
      `Nobody reads slot "${name}"${held}.`,
      isOurs
        ? 'Start the service; if it is not going to run any more, run `rowcast disable`.'
        : `If it is no longer needed, run ${drop}`,
    )
  }
}

/** What the slot itself keeps is its reader's, or on purpose; this is neither. */
function addHeldWal({ source: { slot, database }, doctor: { walHolders } }: Examination, add: Add): void {
  const heldBytes = slot?.restartBytes ?? 0
  if (heldBytes < HELD_BYTES_HIGH) return
  const { why, hint } = describeWalHolders(walHolders, database)
  add(
    'SLOT_WAL_HELD',
    heldBytes > IDLE_BYTES_HIGH ? 'warning' : 'advice',
    `PostgreSQL holds ${formatBytes(heldBytes)} of WAL from before what the slot has confirmed. ${why}`,
    hint,
  )
}
