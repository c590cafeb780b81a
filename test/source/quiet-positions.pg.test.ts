/** Positions for the quiet: a cursor for now is one of now, though nothing of ours was written for long. */
import { expect, it } from 'vitest'
import { parseCursor } from '../../src/changes/cursor.ts'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, takeChanges } from '../support/live-rowcast.ts'

it('changeCursor goes on while only others write, and is good after a restart that kept nothing older', async () => {
  await using database = await openDatabase({ migrate: true })
  const options = { retain: { bytes: 0, minutes: 0 } }
  let cursor = ''
  {
    await using running = await openLiveRowcast(database, options)
    const { rowcast } = running
    await database.query(`INSERT INTO "Tag" (name) VALUES ('first')`)
    const early = await rowcast.changeCursor()
    await database.query('CREATE TABLE foreign_rows (n int)')
    await database.query('INSERT INTO foreign_rows SELECT * FROM generate_series(1, 5000)')
    const [now] = await database.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn')
    const [high = '0', low = '0'] = (now?.lsn ?? '0/0').split('/')
    const lsn = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
    // As soon as PostgreSQL has said how far it is.
    await expect
      .poll(
        async () => {
          cursor = await rowcast.changeCursor()
          return parseCursor(cursor).position.commitLsn >= lsn - 1n
        },
        { timeout: 30_000 },
      )
      .toBe(true)
    expect(cursor > early).toBe(true)
  }
  await database.query(`INSERT INTO "Tag" (name) VALUES ('second')`)
  await using again = await openLiveRowcast(database, options)
  const missed = again.rowcast.subscribe('Tag', { after: cursor })
  expect((await takeChanges(missed, 1)).map((change) => change.new)).toMatchObject([{ name: 'second' }])
})
