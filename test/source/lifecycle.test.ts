import { describe, expect, it } from 'vitest'
import {
  backoffDelayMs,
  retryDelayMs,
  SOURCE_TRANSITIONS,
  type SourceEvent,
  type SourceState,
} from '../../src/source/session/lifecycle.ts'

/** The whole machine once more, as a person would explain it; no entry may be left out. */
const EXPECTED: Record<SourceState, Record<SourceEvent, SourceState>> = {
  idle: {
    start: 'connecting',
    slotInUse: 'idle',
    streamStarted: 'idle',
    failed: 'idle',
    retryDue: 'idle',
    stop: 'stopped',
  },
  connecting: {
    start: 'connecting',
    slotInUse: 'standby',
    streamStarted: 'streaming',
    failed: 'waiting',
    retryDue: 'connecting',
    stop: 'stopped',
  },
  standby: {
    start: 'standby',
    slotInUse: 'standby',
    streamStarted: 'streaming',
    failed: 'waiting',
    retryDue: 'standby',
    stop: 'stopped',
  },
  streaming: {
    start: 'streaming',
    slotInUse: 'streaming',
    streamStarted: 'streaming',
    failed: 'waiting',
    retryDue: 'streaming',
    stop: 'stopped',
  },
  waiting: {
    start: 'waiting',
    slotInUse: 'waiting',
    streamStarted: 'waiting',
    failed: 'waiting',
    retryDue: 'connecting',
    stop: 'stopped',
  },
  stopped: {
    start: 'stopped',
    slotInUse: 'stopped',
    streamStarted: 'stopped',
    failed: 'stopped',
    retryDue: 'stopped',
    stop: 'stopped',
  },
}

describe('lifecycle', () => {
  it('is the expected table', () => {
    expect(SOURCE_TRANSITIONS).toEqual(EXPECTED)
  })

  it('reaches streaming only from a connection, and leaves stopped never', () => {
    const states = Object.keys(EXPECTED) as SourceState[]
    for (const from of states) {
      for (const to of Object.values(SOURCE_TRANSITIONS[from])) {
        if (to === 'streaming') expect(['connecting', 'standby', 'streaming']).toContain(from)
        if (from === 'stopped') expect(to).toBe('stopped')
      }
    }
  })
})

describe('backoff', () => {
  it('doubles up to the cap, and spreads over the upper half', () => {
    const delays = [1, 2, 3, 4, 20].map((failures) => backoffDelayMs(failures, 'backoff', 1))
    expect(delays).toEqual([100, 200, 400, 800, 10_000])
    expect(backoffDelayMs(1, 'backoff', 0)).toBe(50)
    expect(backoffDelayMs(1_000_000, 'backoff', 0)).toBe(5_000)
  })

  it('waits for the cap at once where a person has to act', () => {
    expect(backoffDelayMs(1, 'never', 1)).toBe(10_000)
  })
})

describe('retryDelayMs', () => {
  const delays = (code: string, retry: 'backoff' | 'never', isRepairing = false) =>
    [1, 2, 20].map((failures) =>
      retryDelayMs({ code, retry } as Parameters<typeof retryDelayMs>[0], failures, isRepairing, 1),
    )

  it('doubles up to its cap, which is lower for what passes by itself', () => {
    expect(delays('WIRE_CONNECTION_LOST', 'backoff')).toEqual([100, 200, 10_000])
    expect(delays('SOURCE_SLOT_IN_USE', 'backoff')).toEqual([100, 200, 1_000])
    expect(delays('BROKER_UNREACHABLE', 'backoff')).toEqual([100, 200, 1_000])
  })

  it('waits for the cap at once for a person, unless the next attempt repairs something', () => {
    expect(delays('SOURCE_SLOT_MISMATCH', 'never')).toEqual([10_000, 10_000, 10_000])
    expect(delays('SOURCE_SLOT_MISMATCH', 'never', true)).toEqual([100, 200, 10_000])
  })
})
