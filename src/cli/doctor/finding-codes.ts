/**
 * Beside the spine, cli. Every code that `doctor` has of its own, and what it is about. What keeps changes from flowing
 * and has a code in the error table keeps that one. docs/doctor.md is checked against this table.
 */
export const FINDING_CODES = {
  SETUP_PENDING: 'Publication, identities or slot are still to be made; `enable` and `serve` do it.',
  REPLICATION_REFUSED: 'Plain SQL works, a replication connection does not.',
  POOLER: 'A connection pooler answers at the address, and passes no replication.',
  POSTGRES_TOO_OLD: 'The server is older than PostgreSQL 14.',
  POSTGRES_IS_STANDBY: 'The server is a standby.',
  STANDBY_FEEDBACK_OFF: 'The standby that sends the changes lets the primary remove what its slot needs.',
  HOST_UNREACHABLE: 'One of several hosts of the address does not let rowcast in.',
  SEVERAL_PRIMARIES: 'More than one host of the address is a primary.',
  STANDBY_LACKS_SLOT: 'A standby of the address has no copy of the slot: its promotion is a gap.',
  NO_SLOT_LEFT: 'All of max_replication_slots are in use.',
  NO_SENDER_LEFT: 'All of max_wal_senders are in use.',
  SLOT_WAL_UNLIMITED: 'Nothing limits the WAL that is kept for a slot nobody reads.',
  SLOT_UNREAD: 'Nobody reads the service’s slot at the moment.',
  SLOT_IDLE: 'Another slot holds WAL, and nobody reads it.',
  SLOT_WAL_HELD: 'PostgreSQL holds WAL from before what the slot has confirmed, and for whom.',
  SYNCHRONOUS_COMMIT_OFF: 'Changes come 0.1 to 0.2 s later.',
  SENDER_TIMEOUT_SHORT: 'A short wal_sender_timeout ends the stream at every pause.',
  NO_SELECT: 'The role may not read a model’s table.',
  ROW_SECURITY_EXEMPT:
    'A model’s table has row level security that does not bind this role, and might bind another.',
  MODEL_NOT_SHOWN: 'A model has no field that may be seen, and is left out of the schema.',
  NO_PRIMARY_KEY: 'A model’s table has no primary key.',
  IDENTITY_COST: 'What REPLICA IDENTITY FULL adds to the WAL, by the table’s statistics.',
  IDENTITY_NOT_NEEDED: 'A table writes whole old rows though its model is `keep`.',
  OLD_NOT_SENT: 'A model is `keep`, so its updates and deletes have no `old`.',
  TOAST_HEAVY: 'Most of a table are large values.',
  JOIN_TABLES: 'Implicit many-to-many relations change without a change of a model.',
  PUBLISHED_UNUSED: 'The publication has tables that no live model reads.',
  NULLABLE_COLUMN: 'A required field’s column may be NULL.',
  PROVIDER_RDS: 'Amazon RDS or Aurora.',
  PROVIDER_CLOUD_SQL: 'Google Cloud SQL.',
  PROVIDER_AZURE: 'Azure Database for PostgreSQL.',
  PROVIDER_NEON: 'Neon.',
  PROVIDER_SUPABASE: 'Supabase.',
} as const

export type FindingCode = keyof typeof FINDING_CODES
