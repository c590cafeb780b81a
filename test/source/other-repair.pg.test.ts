/** Two processes see that a slot is lost: what the first has made is not dropped by the second. */
import { expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import type { Logger } from '../../src/logger.ts'
import type { SetupGoal } from '../../src/source/setup/setup-goal.ts'
import { SlotRepair } from '../../src/source/slot/slot-repair.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

function repairOf(database: TestDatabase, goal: SetupGoal) {
  const lines: string[] = []
  const note = (message: string) => void lines.push(message)
  const logger: Logger = { debug: note, info: note, warn: note, error: note }
  const repair = new SlotRepair({
    ...{ target: database.target, goal, logger, slotLostPolicy: 'recreate', isEnabledOnConnect: false },
    slotBudget: { bytes: 2 ** 40 },
    hasStreamed: () => true,
  })
  return { repair, lines }
}

it.each([
  ['was given up', 'SOURCE_SLOT_INVALIDATED'],
  ['is over its budget', 'SOURCE_SLOT_OVER_BUDGET'],
] as const)(
  'where the slot %s, one of two processes makes a fresh one, and the other leaves it',
  async (_, code) => {
    await using database = await openDatabase({ migrate: true })
    await database.query('CREATE PUBLICATION rowcast FOR TABLE "Tag"')
    const slot = slotOf(database)
    const goal: SetupGoal = {
      ...{ slot, publication: 'rowcast' },
      tables: [{ model: 'Tag', schema: 'public', table: 'Tag' }],
    }
    const [first, second] = [repairOf(database, goal), repairOf(database, goal)]
    for (const { repair } of [first, second]) repair.take(new RowcastError(code, 'It is lost.'))
    // The lost one was dropped by the first, which makes a fresh one.
    await first.repair.run(0)
    expect(first.lines).toEqual(['A fresh replication slot was made.'])
    const read = () =>
      database.query(
        'SELECT confirmed_flush_lsn, catalog_xmin FROM pg_replication_slots WHERE slot_name = $1',
        [slot],
      )
    const fresh = await read()
    expect(fresh).toHaveLength(1)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('behind the fresh slot')`)
    await second.repair.run(0)
    expect(await read()).toEqual(fresh)
    // Nor does it say that it made one.
    expect(second.lines).toEqual([])
  },
)
