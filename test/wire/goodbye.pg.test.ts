/** The end of a replication connection whose handler fails as it is asked what to confirm: whoever closes it counts on its end. */
import { expect, it } from 'vitest'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { LSN_ZERO } from '../../src/wire/lsn.ts'
import { openDatabase } from '../support/database.ts'

it('ends the connection, so that the slot is free', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query('CREATE PUBLICATION goodbye FOR ALL TABLES')
  const slot = `goodbye_${database.name}`
  await database.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])
  const connection = await openReplicationConnection(database.target, { applicationName: 'goodbye' })
  let isFailing = false
  await connection.startStream(
    { slot, startLsn: LSN_ZERO, options: { proto_version: '1', publication_names: 'goodbye' } },
    {
      ...{ onWalData() {}, onKeepalive() {}, onNotice() {} },
      confirmedLsn() {
        if (isFailing) throw new TypeError('the position is not there')
        return LSN_ZERO
      },
    },
  )
  isFailing = true
  await connection.close()
  const active = async () => {
    const [row] = await database.query<{ active: boolean }>(
      'SELECT active FROM pg_replication_slots WHERE slot_name = $1',
      [slot],
    )
    return row?.active
  }
  await expect.poll(active).toBe(false)
  await database.query('SELECT pg_drop_replication_slot($1)', [slot])
})
