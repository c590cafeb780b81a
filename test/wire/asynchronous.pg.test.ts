/** A walsender of ours is never a synchronous standby, whatever synchronous_standby_names says: commits would wait for what is confirmed here. */
import { expect, it } from 'vitest'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { LSN_ZERO, type Lsn, parseLsn } from '../../src/wire/lsn.ts'
import { openDatabase } from '../support/database.ts'
import { openPostgres } from '../support/postgres.ts'

it.each([
  ['that keeps back what it confirms, as a service does', true],
  ['that confirms all it has seen, as `tail` does', false],
])(
  'a stream %s is asynchronous under synchronous_standby_names = *, and its slot moves',
  async (_, isHeld) => {
    // Nobody waits here for the standby that is not there; whom commits would wait for shows in the view.
    await using postgres = await openPostgres({
      settings: { synchronous_standby_names: '*', synchronous_commit: 'local' },
    })
    await using database = await openDatabase({ serverUrl: postgres.cluster.connectionString() })
    await database.query('CREATE TABLE items (id int PRIMARY KEY); CREATE PUBLICATION items FOR TABLE items')
    await database.query(`SELECT pg_create_logical_replication_slot('held', 'pgoutput')`)
    const connection = await openReplicationConnection(database.target, { applicationName: 'rowcast test' })
    let seen: Lsn = LSN_ZERO
    let confirmed: Lsn = LSN_ZERO
    try {
      await connection.startStream(
        {
          ...{ slot: 'held', startLsn: LSN_ZERO },
          options: { proto_version: '1', publication_names: 'items' },
        },
        {
          onWalData() {},
          onKeepalive(lsn) {
            seen = lsn
          },
          onNotice() {},
          confirmedLsn: () => (isHeld ? confirmed : seen),
          writtenLsn: () => seen,
        },
      )
      const states = new Set<string>()
      for (let round = 1; round <= 5; round += 1) {
        const [end] = await database.query<{ lsn: string }>(
          `INSERT INTO items VALUES (${round}) RETURNING pg_current_wal_insert_lsn()::text AS lsn`,
        )
        const lsn = parseLsn(end?.lsn ?? '0/0')
        await expect.poll(() => seen >= lsn, { timeout: 30_000 }).toBe(true)
        confirmed = lsn
        connection.sendStatus()
        const isConfirmed = async () => {
          const [row] = await database.query<{ state: string; is: boolean }>(
            `SELECT r.sync_state AS state, s.confirmed_flush_lsn >= '${end?.lsn}' AS is
             FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE s.slot_name = 'held'`,
          )
          if (row?.is === true) states.add(row.state)
          return row?.is
        }
        await expect.poll(isConfirmed, { timeout: 30_000 }).toBe(true)
      }
      expect([...states]).toEqual(['async'])
    } finally {
      await connection.close()
    }
  },
)
