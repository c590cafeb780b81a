/** A slot is let go for what its reader holds at once, and for what PostgreSQL holds only when that does not go. */
import { describe, expect, it } from 'vitest'
import { isSnapshotDue } from '../../src/source/db/heartbeat.ts'
import type { SlotState } from '../../src/source/facts/slot-state.ts'
import { BudgetGrace } from '../../src/source/slot/budget-grace.ts'
import { LSN_ZERO } from '../../src/wire/lsn.ts'

const MIB = 1024 * 1024
const BUDGET = { bytes: 100 }
const slot = (retainedBytes: number, restartBytes: number) => ({ retainedBytes, restartBytes }) as SlotState

/** Which of the looks let it go. */
function lookAt(
  looks: readonly (readonly [retained: number, restart: number, atMs: number])[],
  maySnapshot: boolean,
) {
  const grace = new BudgetGrace()
  return looks.map(([retained, restart, atMs]) =>
    grace.isOver(slot(retained, restart), BUDGET, maySnapshot, atMs),
  )
}

describe('BudgetGrace', () => {
  it('lets go at once what the reader has not confirmed, and whatever is twice the budget', () => {
    expect(lookAt([[101, 0, 0]], true)).toEqual([true])
    expect(lookAt([[150, 49, 0]], true)).toEqual([true])
    expect(lookAt([[201, 200, 0]], true)).toEqual([true])
  })

  it('gives what PostgreSQL holds three looks where it was asked to let go, else 20 s', () => {
    const held = [0, 10_000, 19_999, 20_000].map((atMs) => [150, 100, atMs] as const)
    expect(lookAt(held, true)).toEqual([false, false, false, true])
    expect(lookAt(held, false)).toEqual([false, false, false, true])
    expect(lookAt([held[0], held[3]] as typeof held, false)).toEqual([false, true])
  })

  it('begins again once it was within the budget, and is never over without one', () => {
    const held = [150, 100, 0] as const
    expect(lookAt([held, held, held, [99, 50, 0], held, held, held, held], true)).toEqual([
      ...[false, false, false, false],
      ...[false, false, false, true],
    ])
    expect(new BudgetGrace().isOver(slot(1e15, 0), null, true, 0)).toBe(false)
  })
})

it('running transactions are logged where a segment or more waits for it, and the role may', () => {
  const reading = (restartBytes: number, maySnapshot: boolean) => ({
    ...{ serverLsn: LSN_ZERO, safeLsn: LSN_ZERO, releasedLsn: LSN_ZERO, retainedBytes: restartBytes },
    ...{ restartBytes, maySnapshot },
  })
  expect(isSnapshotDue(reading(16 * MIB, true))).toBe(true)
  expect(isSnapshotDue(reading(16 * MIB - 1, true))).toBe(false)
  expect(isSnapshotDue(reading(16 * MIB, false))).toBe(false)
})
