import { describe, expect, it } from 'vitest'
import {
  countOf,
  explainEmptyList,
  explainSlot,
  formatBytes,
  formatDelay,
  formatRate,
  niceTop,
  summarize,
} from '../../page/format.ts'
import {
  type Activity,
  CHANGES_MAX,
  CHANGES_OF_MODEL_MAX,
  type Change,
  EMPTY_STATE,
  groupByTransaction,
  type PageState,
  SAMPLES_MAX,
  shownChanges,
  withActivity,
  withHeldShown,
  withLoss,
  withPause,
  withReading,
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
const shown = (state: PageState, model = '') => shownChanges(state, model).map(({ sequence }) => sequence)

describe('the page’s state', () => {
  it('has the newest change first, and no more than fit', () => {
    const state = withActivity(EMPTY_STATE, message([1, 2, 3]), true)
    expect(shown(state)).toEqual([3, 2, 1])
    const many = Array.from({ length: 100 }, (_, index) => 4 + index)
    expect(shown(withActivity(state, message(many), false))).toEqual(many.toReversed().slice(0, CHANGES_MAX))
  })

  it('shows nothing twice when the connection comes back and the server shows all it keeps', () => {
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

  it('stands still while somebody reads, paused or not, and shows what came when asked', () => {
    const reading = withReading(withActivity(EMPTY_STATE, message([1]), true), true)
    const later = withActivity(reading, message([2]), false)
    expect([shown(later), later.held.length]).toEqual([[1], 1])
    expect(shown(withHeldShown(later))).toEqual([2, 1])
    expect(shown(withPause(withPause(later, true), false))).toEqual([1])
    expect(shown(withReading(withPause(later, true), false))).toEqual([1])
    expect(shown(withReading(later, false))).toEqual([2, 1])
  })

  it('keeps the last few changes of each model, and as many as fit of all', () => {
    const rare = Array.from({ length: 8 }, (_, index) => change(index + 1, { model: 'Rare' }))
    const busy = Array.from({ length: 200 }, (_, index) => change(index + 9))
    const state = withActivity(EMPTY_STATE, { ...message([]), changes: [...rare, ...busy] }, true)
    expect(shown(state)).toHaveLength(CHANGES_MAX)
    expect(shown(state, 'Rare')).toEqual([8, 7, 6, 5, 4])
    expect(state.changes).toHaveLength(CHANGES_MAX + CHANGES_OF_MODEL_MAX)
  })

  it('puts the changes of a transaction together, in their order, whatever lies between', () => {
    const of = (sequence: number, transactionId: string) => change(sequence, { transactionId })
    const groups = groupByTransaction([of(4, 'b'), of(3, 'a'), of(2, 'b'), of(1, 'a')])
    expect(groups.map(({ xid, changes }) => [xid, changes.map(({ sequence }) => sequence)])).toEqual([
      ['b', [2, 4]],
      ['a', [1, 3]],
    ])
  })

  it('knows since when it is without a connection', () => {
    const lost = withLoss(withLoss(EMPTY_STATE, new Date(1)), new Date(2))
    expect(lost.lostAt).toEqual(new Date(1))
    expect(withActivity(lost, message([1]), true).lostAt).toBeNull()
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
    [formatDelay(2_000), '2 s'],
    [countOf(1, 'more field'), '1 more field'],
    [countOf(1_200, 'change'), '1,200 changes'],
    [explainSlot(null)[0], '–'],
    [explainSlot('reserved')[0], 'Healthy'],
    [explainSlot('new in 2030')[0], 'new in 2030'],
    [summarize([change(1)]), '1 change: User changed.'],
    [
      summarize([change(1), change(2), change(3, { action: 'DELETE', model: 'Tag' })]),
      '3 changes: User changed 2 times, Tag deleted.',
    ],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected)
  })
})

it.each([
  ...[
    [0.3, 0.4],
    [1, 1],
    [1.2, 2],
    [20, 20],
    [21, 40],
    [130_000, 200_000],
    [9e12, 1e13],
  ],
] as const)('the scale of %d ends at %d, whose half is round', (value, top) => {
  expect(niceTop(value)).toBeCloseTo(top, 9)
})

it('says why a list is empty', () => {
  const startedAt = '2026-11-23T08:00:00.000Z'
  const model = { name: 'Post', lastChangeAt: null } as Activity['status']['models'][number]
  expect(explainEmptyList(null, { startedAt })).toContain('Change a row')
  expect(explainEmptyList(model, { startedAt })).toMatch(
    /^No changes of Post yet: none since rowcast started/,
  )
  expect(explainEmptyList({ ...model, lastChangeAt: startedAt }, { startedAt })).toMatch(
    /its last one was at/,
  )
})
