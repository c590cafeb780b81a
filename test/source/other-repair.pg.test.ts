/** Two processes see that a slot is lost: what the first has made is not dropped by the second. */
import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import type { Logger } from '../../src/logger.ts'
import type { SetupGoal } from '../../src/source/setup/setup-goal.ts'
import { SlotRepair } from '../../src/source/slot/slot-repair.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

/** Connections that send the statement that drops a slot, and what comes after it, once `first` is over. */
function dropsAfter(first: () => Promise<void>): () => Socket {
  return () => {
    const socket = new Socket()
    // Node.js puts its own method back as it connects.
    socket.once('connect', () => {
      const write = socket.write.bind(socket)
      let before: Promise<unknown> | null = null
      socket.write = (bytes: string | Uint8Array) => {
        if (before === null && !String(bytes).includes('pg_drop_replication_slot')) return write(bytes)
        before = (before ?? first()).then(() => write(bytes))
        return true
      }
    })
    return socket
  }
}

/** A database with a publication, and what is to be made there. */
async function openGoal() {
  const database = await openDatabase({ migrate: true })
  await database.query('CREATE PUBLICATION rowcast FOR TABLE "Tag"')
  const goal: SetupGoal = {
    ...{ slot: slotOf(database), publication: 'rowcast' },
    tables: [{ model: 'Tag', schema: 'public', table: 'Tag' }],
  }
  const readSlot = () =>
    database.query(
      'SELECT confirmed_flush_lsn, catalog_xmin FROM pg_replication_slots WHERE slot_name = $1',
      [goal.slot],
    )
  return { database, goal, readSlot, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() }
}

function repairOf({ target }: Pick<TestDatabase, 'target'>, goal: SetupGoal, budgetBytes = 2 ** 40) {
  const lines: string[] = []
  const note = (message: string) => void lines.push(message)
  const logger: Logger = { debug: note, info: note, warn: note, error: note }
  const repair = new SlotRepair({
    ...{ target, goal, logger, slotLostPolicy: 'recreate', isEnabledOnConnect: false },
    slotBudget: { bytes: budgetBytes },
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
    await using opened = await openGoal()
    const { database, goal, readSlot } = opened
    const [first, second] = [repairOf(database, goal), repairOf(database, goal)]
    for (const { repair } of [first, second]) repair.accept(new RowcastError(code, 'It is lost.'))
    // The lost one was dropped by the first, which makes a fresh one.
    await first.repair.run(0)
    expect(first.lines).toEqual(['A fresh replication slot was made.'])
    const fresh = await readSlot()
    expect(fresh).toHaveLength(1)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('behind the fresh slot')`)
    await second.repair.run(0)
    expect(await readSlot()).toEqual(fresh)
    // Nor does it say that it made one.
    expect(second.lines).toEqual([])
  },
)

it('where both are about to drop it, the second leaves what the first has made meanwhile', async () => {
  await using opened = await openGoal()
  const { database, goal, readSlot } = opened
  await database.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [goal.slot])
  await database.query(`INSERT INTO "Tag" (name) VALUES ('more than the budget')`)
  const spent = await readSlot()
  const first = repairOf(database, goal, 1)
  let fresh: unknown
  const stream = dropsAfter(async () => {
    await first.repair.run(0)
    fresh = await readSlot()
  })
  const second = repairOf({ target: { ...database.target, stream } }, goal, 1)
  for (const { repair } of [first, second])
    repair.accept(new RowcastError('SOURCE_SLOT_OVER_BUDGET', 'It holds too much.'))
  await second.repair.run(0)
  expect(first.lines).toEqual(['A fresh replication slot was made.'])
  expect(fresh).not.toEqual(spent)
  expect(await readSlot()).toEqual(fresh)
  expect(second.lines).toEqual([])
})
