import { expect, test } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import type { SetupGoal } from '../../src/source/setup/setup-goal.ts'
import { NO_REMEDY, type SlotLostPolicy } from '../../src/source/slot/slot-remedy.ts'
import { SlotRepair } from '../../src/source/slot/slot-repair.ts'

const goal: SetupGoal = { slot: 'rowcast', publication: 'rowcast', tables: [] }
const missing = new RowcastError('SOURCE_SLOT_MISSING', 'There is none.')
const overBudget = new RowcastError('SOURCE_SLOT_OVER_BUDGET', 'It holds too much.')
const invalidated = new RowcastError('SOURCE_SLOT_INVALIDATED', 'PostgreSQL gave it up.')

function repairOf(slotLostPolicy: SlotLostPolicy, hasStreamed = true) {
  return new SlotRepair({
    ...{ goal, slotLostPolicy, logger: silentLogger },
    target: { host: '127.0.0.1', port: 1, user: 'nobody', database: 'none' },
    isEnabledOnConnect: false,
    hasStreamed: () => hasStreamed,
  })
}

test('a slot that is missing because it was let go is no news, and asks for nothing more', () => {
  const repair = repairOf('stop')
  expect(repair.causeOf(missing)).toBe(missing)
  expect(repair.accept(overBudget)).toMatchObject({ gap: 'slot-over-budget', isSlotToDrop: true })
  expect(repair.isDue).toBe(true)
  expect(repair.causeOf(missing)).toBe(overBudget)
  expect(repair.accept(missing)).toEqual(NO_REMEDY)
  // Any other error is what it is.
  expect(repair.causeOf(invalidated)).toBe(invalidated)
})

test('who sets up again, or streams again, has a slot: one that is missing then is missing', () => {
  for (const end of ['forget', 'begin'] as const) {
    const repair = repairOf('stop')
    repair.accept(overBudget)
    repair[end]()
    expect(repair.causeOf(missing), end).toBe(missing)
    expect(repair.accept(missing).gap, end).toBe('slot-dropped')
    // After a setup the slot may be a new one; a stream that began has dropped nothing by itself.
    expect(repair.isDue, end).toBe(end === 'begin')
  }
})

test('what was asked for once stays asked for, whatever fails next', () => {
  const repair = repairOf('recreate')
  repair.accept(invalidated)
  repair.accept(new RowcastError('WIRE_CONNECTION_LOST', 'The network is gone.'))
  expect(repair.isDue).toBe(true)
})

test('a process that never streamed takes a missing slot for one that was never made', () => {
  const repair = repairOf('recreate', false)
  expect(repair.accept(missing)).toEqual(NO_REMEDY)
  expect(repair.isDue).toBe(false)
})
