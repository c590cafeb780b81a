/** The watch on a real PostgreSQL: what it writes, when, with how few rights, and that it leaves nothing open. */
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { HEARTBEAT_SQL, type SlotReading } from '../../src/source/db/heartbeat.ts'
import { createSlotWatch } from '../../src/source/slot/slot-watch.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { openDatabase } from '../support/database.ts'

const goal = { slot: 'none', publication: 'none', tables: [{ model: 'Tag', schema: 'public', table: 'Tag' }] }

/** A slot that nothing moves and that holds two segments, or none. */
const reading = (retainedBytes: number): SlotReading => ({
  serverLsn: toLsn(5n),
  safeLsn: toLsn(5n),
  releasedLsn: toLsn(5n),
  ...{ retainedBytes, restartBytes: 0, maySnapshot: false },
})

describe('the heartbeat', () => {
  it.each([
    [
      'is written by a role without any right, once the slot stands still and holds WAL',
      32 * 1024 * 1024,
      true,
    ],
    ['is not written where nothing is held', 0, false],
  ])('%s', async (_title, retainedBytes, isExpected) => {
    await using database = await openDatabase({ migrate: true })
    const role = `reader_${database.name}`
    const slot = `probe_${database.name}`
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
    await database.query(`ALTER ROLE ${role} SET default_transaction_read_only = on`)
    await database.query(`SELECT pg_create_logical_replication_slot($1, 'test_decoding')`, [slot])
    let looks = 0
    const watch = createSlotWatch({
      guard: createGuard(silentLogger),
      target: { ...database.target, user: role, password: 'x' },
      goal,
      intervalMs: 50,
      onFacts() {
        looks += 1
        return reading(retainedBytes)
      },
      onFailedLook(error) {
        throw error
      },
      settle: async () => false,
      async beat(query) {
        await query(HEARTBEAT_SQL)
      },
    })
    try {
      watch.start()
      await expect.poll(() => looks, { timeout: 20_000 }).toBeGreaterThan(3)
      watch.stop()
      const changes = await database.query<{ data: string }>(
        'SELECT data FROM pg_logical_slot_peek_changes($1, NULL, NULL)',
        [slot],
      )
      const messages = changes.filter(({ data }) =>
        data.includes('message: transactional: 1 prefix: rowcast'),
      )
      expect(messages.length > 0).toBe(isExpected)
      const open = () =>
        database.query(`SELECT FROM pg_stat_activity WHERE application_name = 'rowcast watch: none'`)
      await expect.poll(open, { timeout: 20_000 }).toEqual([])
    } finally {
      watch.stop()
      await database.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '${role}'`,
      )
      await database.query(`DROP ROLE ${role}`)
    }
  })
})
