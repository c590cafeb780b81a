import { describe, expect, it } from 'vitest'
import { isHeartbeatDue, type SlotReading } from '../../src/source/db/heartbeat.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const MIB = 1024 * 1024
const reading = (server: number, safe: number, confirmed = safe, retainedBytes = 0): SlotReading => ({
  serverLsn: toLsn(BigInt(server)),
  safeLsn: toLsn(BigInt(safe)),
  releasedLsn: toLsn(BigInt(confirmed)),
  ...{ retainedBytes, restartBytes: 0, maySnapshot: false },
})

describe('isHeartbeatDue', () => {
  it.each<[string, SlotReading | null, SlotReading, boolean]>([
    ['the first look', null, reading(9, 1), false],
    ['all quiet', reading(5, 5), reading(5, 5), false],
    ['progress since', reading(9, 5), reading(20, 9), false],
    ['WAL of a look ago that never came to us', reading(9, 5), reading(9, 5), true],
    ['WAL of this moment only', reading(5, 5), reading(9, 5), false],
    ['a quiet server that holds a burst', reading(5, 5), reading(5, 5, 5, 20 * MIB), true],
    ['what the retention window holds on purpose', reading(5, 5, 1), reading(5, 5, 1, 20 * MIB), false],
  ])('%s', (_name, before, now, expected) => {
    expect(isHeartbeatDue(before, now)).toBe(expected)
  })
})
