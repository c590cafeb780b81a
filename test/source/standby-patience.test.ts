/** How long another process may read the slot before those who wait here are sent away. */
import { describe, expect, it } from 'vitest'
import { NO_SINK, type SourceSink } from '../../src/bus/source-sink.ts'
import { silentLogger } from '../../src/logger.ts'
import type { SourceEvent } from '../../src/source/session/lifecycle.ts'
import {
  afterEvent,
  NO_SPELL,
  StandbyPatience,
  type StandbySpell,
  whenSlotInUse,
} from '../../src/source/session/standby-patience.ts'

const PATIENCE_MS = 100
const SPELLS: readonly StandbySpell[] = [
  NO_SPELL,
  { sinceMs: 5, isAside: false },
  { sinceMs: 5, isAside: true },
]

/** What is reported of these, one after the other: times are words of PostgreSQL that the slot is in use. */
function reportsOf(happenings: readonly (number | SourceEvent)[], standbyPatienceMs = PATIENCE_MS) {
  const reports: boolean[] = []
  const patience = new StandbyPatience({
    ...{ standbyPatienceMs, logger: silentLogger },
    onStandAside: (isAside) => reports.push(isAside),
  })
  for (const each of happenings) {
    if (typeof each === 'number') patience.noteSlotInUse(each)
    else patience.note(each)
  }
  return reports
}

describe('the patience of a process that stands by', () => {
  it('is over so long after PostgreSQL has said first that another process reads the slot', () => {
    expect(reportsOf([0, 50, 99])).toEqual([])
    expect(reportsOf([0, 50, 100, 150])).toEqual([true])
    expect(reportsOf([0, 1e12], Number.POSITIVE_INFINITY)).toEqual([])
  })

  it('is not over by time alone: only where PostgreSQL says so again', () => {
    expect(reportsOf([0, 'failed', 'retryDue', 'failed', 'retryDue'])).toEqual([])
  })

  it('begins with the next stream, and not with each connection', () => {
    expect(reportsOf([0, 'failed', 'retryDue', 60, 'failed', 'retryDue', 120])).toEqual([true])
    expect(reportsOf([0, 60, 'streamStarted', 'failed', 'retryDue', 120, 160])).toEqual([])
  })

  it('says that it is over where this process streams, and where nobody knows who does', () => {
    expect(reportsOf([0, 100, 'streamStarted'])).toEqual([true, false])
    expect(reportsOf([0, 100, 'failed', 'retryDue', 200])).toEqual([true, false, true])
    // What it reports to ends with it.
    expect(reportsOf([0, 100, 'stop'])).toEqual([true])
  })

  it('is without an end where nobody waits: subscribers of a broker have their changes from that', () => {
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
    const noteOf = (onStandAside: SourceSink['onStandAside']) => {
      const patience = new StandbyPatience({ standbyPatienceMs: 1, logger, onStandAside })
      for (const nowMs of [0, 5]) patience.noteSlotInUse(nowMs)
      return warnings.length
    }
    expect(noteOf(NO_SINK.onStandAside)).toBe(0)
    expect(noteOf(() => undefined)).toBe(1)
  })

  it.each(SPELLS)('events that say nothing of the slot leave it as it is: %o', (spell) => {
    for (const event of ['start', 'retryDue', 'slotInUse', 'stop'] as const)
      expect(afterEvent(spell, event), event).toBe(spell)
    expect(afterEvent(spell, 'streamStarted')).toBe(NO_SPELL)
    expect(afterEvent(spell, 'failed')).toEqual({ ...spell, isAside: false })
    expect(whenSlotInUse(spell, 5, 0).isAside).toBe(true)
  })
})
