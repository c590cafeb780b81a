import { describe, expect, it } from 'vitest'
import {
  isRewound,
  judgeContinuity,
  parseTimelineHistory,
  type StreamPast,
  type StreamPresent,
} from '../../src/source/published/continuity.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const lsn = (value: number) => toLsn(BigInt(value))
const PAST: StreamPast = { systemId: '7', timeline: 1, safeLsn: lsn(1_000), deliveredLsn: lsn(900) }
const PRESENT: StreamPresent = {
  systemId: '7',
  timeline: 1,
  flushedLsn: lsn(2_000),
  slotConfirmedLsn: lsn(500),
  history: [],
}

describe('judgeContinuity', () => {
  it('begins a process at what the slot has confirmed', () => {
    expect(judgeContinuity(null, PRESENT)).toEqual({ kind: 'first', floorLsn: 500n })
  })

  it.each<[string, Partial<StreamPresent>, Partial<StreamPast>, unknown]>([
    ['the same server', {}, {}, { kind: 'continuous', floorLsn: 1_000n }],
    [
      'a server that wrote nothing since',
      { flushedLsn: lsn(1_000) },
      {},
      { kind: 'continuous', floorLsn: 1_000n },
    ],
    ['another cluster', { systemId: '8' }, {}, { kind: 'gap', floorLsn: 500n, reason: 'other-cluster' }],
    [
      'a restored server',
      { flushedLsn: lsn(999) },
      {},
      { kind: 'gap', floorLsn: 500n, reason: 'server-behind' },
    ],
    [
      'a slot that somebody moved on',
      { slotConfirmedLsn: lsn(1_001) },
      {},
      { kind: 'gap', floorLsn: 1_001n, reason: 'slot-recreated' },
    ],
    [
      'a promoted standby that had everything',
      { timeline: 2, history: [{ timeline: 1, endLsn: lsn(1_200) }] },
      {},
      { kind: 'continuous', floorLsn: 1_000n, sharedLsn: 1_200n },
    ],
    [
      'a promoted standby that lacks only what held no change',
      { timeline: 2, history: [{ timeline: 1, endLsn: lsn(950) }] },
      {},
      { kind: 'continuous', floorLsn: 950n, sharedLsn: 950n },
    ],
    [
      'a promoted standby that lacks what was delivered',
      { timeline: 2, history: [{ timeline: 1, endLsn: lsn(899) }] },
      {},
      { kind: 'gap', floorLsn: 500n, reason: 'timeline-diverged' },
    ],
    [
      'a promoted standby that got all but the last record of what was delivered',
      { timeline: 2, history: [{ timeline: 1, endLsn: lsn(900) }] },
      {},
      { kind: 'gap', floorLsn: 500n, reason: 'timeline-diverged' },
    ],
    [
      'a restored server that ends just before the commit of what was delivered',
      { flushedLsn: lsn(900) },
      { safeLsn: lsn(890) },
      { kind: 'gap', floorLsn: 500n, reason: 'server-behind' },
    ],
    [
      'two promotions at once',
      {
        timeline: 3,
        history: [
          { timeline: 1, endLsn: lsn(1_100) },
          { timeline: 2, endLsn: lsn(1_500) },
        ],
      },
      {},
      { kind: 'continuous', floorLsn: 1_000n, sharedLsn: 1_100n },
    ],
    [
      'a timeline that is not a descendant',
      { timeline: 3, history: [{ timeline: 2, endLsn: lsn(1_500) }] },
      {},
      { kind: 'gap', floorLsn: 500n, reason: 'timeline-unknown' },
    ],
    [
      'an older timeline, from a backup',
      { timeline: 1 },
      { timeline: 2 },
      { kind: 'gap', floorLsn: 500n, reason: 'timeline-unknown' },
    ],
  ])('judges %s', (_name, present, past, expected) => {
    expect(judgeContinuity({ ...PAST, ...past }, { ...PRESENT, ...present })).toEqual(expected)
  })
})

describe('parseTimelineHistory', () => {
  it('reads timelines and where they end, and passes over the rest', () => {
    const content = '1\t0/3000158\tno recovery target specified\n\n2\t1/A0\tbefore 2026-11-23\n# a comment\n'
    expect(parseTimelineHistory(content)).toEqual([
      { timeline: 1, endLsn: 0x3000158n },
      { timeline: 2, endLsn: 0x1000000a0n },
    ])
  })
})

describe('isRewound', () => {
  const gap = (floor: number, reason: 'slot-recreated' | 'other-cluster' | 'timeline-diverged') =>
    ({ kind: 'gap', floorLsn: lsn(floor), reason }) as const

  it('says whether the stream brings again what was read, or is of another database', () => {
    expect(isRewound({ kind: 'first', floorLsn: lsn(500) }, lsn(1_000))).toBe(true)
    expect(isRewound(gap(500, 'timeline-diverged'), lsn(1_000))).toBe(true)
    expect(isRewound(gap(5_000, 'other-cluster'), lsn(1_000))).toBe(true)
    // What is known is from before it: the gap may have taken a table along.
    expect(isRewound(gap(1_000, 'slot-recreated'), lsn(1_000))).toBe(false)
    expect(isRewound({ kind: 'continuous', floorLsn: lsn(500) }, lsn(1_000))).toBe(false)
    expect(isRewound({ kind: 'first', floorLsn: lsn(500) }, lsn(0))).toBe(false)
  })
})
