import { describe, expect, it } from 'vitest'
import { formatBytes, formatDelay, formatRate, summarize } from '../../page/format.ts'
import {
  type Activity,
  CHANGES_MAX,
  type Change,
  EMPTY_STATE,
  type PageState,
  SAMPLES_MAX,
  withActivity,
  withPause,
} from '../../page/page-state.ts'

const change = (sequence: number, more: Partial<Change> = {}): Change => ({
  ...{
    sequence,
    model: 'User',
    action: 'UPDATE',
    hasOld: true,
    hasNew: true,
    transactionId: String(sequence),
  },
  ...{ committedAt: '2026-11-23T08:15:30.123Z', key: [], fields: [] },
  ...more,
})
const sample = (index: number) => ({
  at: new Date(index).toISOString(),
  lagBytes: index,
  delayMs: null,
  changes: 0,
})
const message = (sequences: readonly number[], more: Partial<Activity> = {}): Activity => ({
  ...{ skipped: 0, samples: [], status: {} as Activity['status'] },
  changes: sequences.map((sequence) => change(sequence)),
  ...more,
})
const shown = ({ changes }: PageState) => changes.map(({ sequence }) => sequence)

describe('the page’s state', () => {
  it('has the newest change first, and no more than fit', () => {
    const state = withActivity(EMPTY_STATE, message([1, 2, 3]), true)
    expect(shown(state)).toEqual([3, 2, 1])
    const many = Array.from({ length: 100 }, (_, index) => 4 + index)
    expect(shown(withActivity(state, message(many), false))).toEqual(many.toReversed().slice(0, CHANGES_MAX))
  })

  it('shows nothing twice when the connection comes back and the server tells all it keeps', () => {
    const state = withActivity(EMPTY_STATE, message([1, 2], { samples: [sample(1)] }), true)
    const again = withActivity(state, message([1, 2, 3], { samples: [sample(1), sample(2)] }), true)
    expect(shown(again)).toEqual([3, 2, 1])
    expect(again.samples.map(({ lagBytes }) => lagBytes)).toEqual([1, 2])
  })

  it('stands still while paused, and has missed nothing when it goes on', () => {
    const paused = withPause(withActivity(EMPTY_STATE, message([1]), true), true)
    const later = withActivity(withActivity(paused, message([2]), false), message([3]), false)
    expect(shown(later)).toEqual([1])
    expect(later.held).toHaveLength(2)
    expect(shown(withPause(later, false))).toEqual([3, 2, 1])
  })

  it('keeps five minutes of seconds', () => {
    const samples = Array.from({ length: SAMPLES_MAX + 5 }, (_, index) => sample(index))
    expect(withActivity(EMPTY_STATE, message([], { samples }), false).samples[0]?.lagBytes).toBe(5)
  })
})

describe('words for people', () => {
  it.each([
    [formatBytes(0), '0 B'],
    [formatBytes(1_550), '1.6 kB'],
    [formatBytes(150_000), '150 kB'],
    [formatBytes(2e12), '2 TB'],
    [formatRate(0), '0'],
    [formatRate(0.42), '0.4'],
    [formatRate(1234.5), '1,235'],
    [formatDelay(3.4), '3 ms'],
    [formatDelay(1_240), '1.2 s'],
    [summarize([change(1)]), '1 change: User changed.'],
    [
      summarize([change(1), change(2), change(3, { action: 'DELETE', model: 'Tag' })]),
      '3 changes: User changed 2 times, Tag deleted.',
    ],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected)
  })
})
