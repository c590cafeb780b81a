/** When a stream restarts, and who has missed something by it. */
import { describe, expect, it } from 'vitest'
import type { EntryId } from '../../src/broker/entry-id.ts'
import {
  type Epoch,
  formatEpoch,
  judgePassage,
  type Published,
  parseEpoch,
  planEpoch,
} from '../../src/broker/epoch.ts'
import { INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import type { Continuity } from '../../src/source/published/continuity.ts'
import type { RelayStart } from '../../src/source/watch/session-relay.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const lsn = (value: number) => toLsn(BigInt(value))
const at = (value: number, sequence = 0): EntryId => ({ lsn: lsn(value), sequence })

const epoch = (details: Partial<Epoch> = {}): Epoch => ({
  ...{ id: 'one', systemId: '7', timeline: 1, kind: 'refilled', floor: at(99, INDEX_AFTER_ALL) },
  ...{ serverLsn: lsn(1_000), previous: null, reason: null, isOpen: true },
  ...details,
})

function start(continuity: Continuity, details: Partial<RelayStart> = {}): RelayStart {
  return {
    ...{ systemId: '7', timeline: 1, isFirst: false, floorLsn: continuity.floorLsn, serverLsn: lsn(1_000) },
    ...{ continuity, gap: null },
    ...details,
  }
}

const gap = (reason: string) => new RowcastError('RESYNC_REQUIRED', 'So it is.', { details: { reason } })
const continuous: Continuity = { kind: 'continuous', floorLsn: lsn(500) }
const recreated: Continuity = { kind: 'gap', floorLsn: lsn(500), reason: 'slot-recreated' }
const published: Published = {
  epochId: 'one',
  systemId: '7',
  timeline: 1,
  last: at(300, 4),
  safeLsn: lsn(600),
}

const KEY = 'rowcast:{slot}:epochs'

describe('planEpoch', () => {
  it('goes on with the epoch it found where nothing is missing', () => {
    const found = { epoch: epoch(), last: at(400), isWritable: true }
    expect(planEpoch(start(continuous), found, null, 'new')).toBe(found.epoch)
  })

  it.each([
    [
      'an empty broker',
      start({ kind: 'first', floorLsn: lsn(500) }),
      null,
      null,
      'refilled',
      at(499, INDEX_AFTER_ALL),
      null,
    ],
    [
      'an empty broker that this tap had filled',
      start({ kind: 'first', floorLsn: lsn(500) }),
      null,
      published,
      'refilled',
      at(300, 4),
      null,
    ],
    [
      'one that this tap had filled less far',
      start({ kind: 'first', floorLsn: lsn(500) }),
      null,
      { ...published, safeLsn: lsn(499) },
      'refilled',
      at(499, INDEX_AFTER_ALL),
      null,
    ],
    [
      'a broker that lacks the newest',
      start(recreated, { gap: gap('slot-recreated') }),
      { epoch: epoch(), last: at(200), isWritable: true },
      published,
      'refilled',
      at(300, 4),
      null,
    ],
    [
      'a slot recreated',
      start(recreated, { gap: gap('slot-recreated') }),
      { epoch: epoch(), last: at(200), isWritable: true },
      null,
      'refilled',
      at(499, INDEX_AFTER_ALL),
      'slot-recreated',
    ],
    [
      'an epoch of another tap',
      start(recreated, { gap: gap('slot-recreated') }),
      { epoch: epoch({ id: 'two' }), last: at(200), isWritable: true },
      published,
      'refilled',
      at(499, INDEX_AFTER_ALL),
      'slot-recreated',
    ],
    [
      'another timeline',
      start(continuous, { timeline: 2 }),
      { epoch: epoch(), last: at(400), isWritable: true },
      null,
      'continuous',
      at(499, INDEX_AFTER_ALL),
      null,
    ],
    [
      'a stream that somebody else has written to',
      start(continuous),
      { epoch: epoch(), last: at(400), isWritable: false },
      null,
      'continuous',
      at(499, INDEX_AFTER_ALL),
      null,
    ],
    [
      'a gap on the same slot',
      start(continuous, { gap: gap('publication-dropped') }),
      { epoch: epoch(), last: at(400), isWritable: true },
      null,
      'gap',
      at(499, INDEX_AFTER_ALL),
      'publication-dropped',
    ],
    [
      'another database',
      start(
        { kind: 'gap', floorLsn: lsn(500), reason: 'other-cluster' },
        { gap: gap('other-cluster'), systemId: '8' },
      ),
      { epoch: epoch(), last: at(400), isWritable: true },
      null,
      'gap',
      at(499, INDEX_AFTER_ALL),
      'other-cluster',
    ],
  ] as const)('begins a new one for %s', (_, begin, found, known, kind, floor, reason) => {
    const planned = planEpoch(begin, found, known, 'new')
    expect(planned).toMatchObject({ id: 'new', kind, floor, reason, isOpen: true })
    expect(planned.previous?.id).toBe(found?.epoch.id)
    expect(parseEpoch(formatEpoch(planned, KEY), KEY)).toEqual(planned)
  })

  it('cannot be read where it is not one', () => {
    expect(parseEpoch('{', KEY)).toBeNull()
    expect(
      parseEpoch(
        JSON.stringify(epoch({}), (_, value) => String(value)),
        KEY,
      ),
    ).toBeNull()
    const sealed = formatEpoch(epoch(), KEY)
    expect(parseEpoch(sealed, KEY)).toEqual(epoch())
    expect(parseEpoch(sealed, 'other:{slot}:epochs')).toBeNull()
    expect(parseEpoch(sealed.replace('"7"', '"8"'), KEY)).toBeNull()
    expect(() => parseEpoch(sealed.replace(/^\d+/, '9'), KEY)).toThrow('BROKER_ENTRY_UNREADABLE')
  })
})

describe('judgePassage', () => {
  const next = (details: Partial<Epoch>) => epoch({ id: 'next', floor: at(500), ...details })

  it.each([
    ['has come as far as the floor', at(500), next({}), { kind: 'go-on', position: at(500) }],
    ['has come further', at(700), next({}), { kind: 'go-on', position: at(700) }],
    ['has not come as far', at(499, 9), next({}), { kind: 'gap', reason: 'broker-lost' }],
    [
      'lost a slot',
      at(499, 9),
      next({ reason: 'slot-recreated' }),
      { kind: 'gap', reason: 'slot-recreated' },
    ],
    [
      'is notified of a gap',
      at(700),
      next({ kind: 'gap', reason: 'slot-lost' }),
      { kind: 'gap', reason: 'slot-lost' },
    ],
    ['finds another database', at(700), next({ systemId: '8' }), { kind: 'gap', reason: 'other-cluster' }],
    ['finds another timeline', at(700), next({ timeline: 2 }), { kind: 'gap', reason: 'timeline-unknown' }],
    [
      'has a commit that a restored server has not',
      at(1_000),
      next({}),
      { kind: 'gap', reason: 'server-behind' },
    ],
    ['has all of a restored server', at(999), next({}), { kind: 'go-on', position: at(999) }],
    ['is ahead of a restored server', at(1_001), next({}), { kind: 'gap', reason: 'server-behind' }],
    [
      ...(['read all before a promotion', at(400)] as const),
      next({ kind: 'continuous', timeline: 2, previous: { id: 'one', end: at(400) } }),
      { kind: 'go-on', position: at(500) },
    ],
    [
      ...(['did not read all before a promotion', at(399)] as const),
      next({ kind: 'continuous', timeline: 2, previous: { id: 'one', end: at(400) } }),
      { kind: 'gap', reason: 'broker-behind' },
    ],
    [
      ...(['read what the next epoch does not know', at(400, 1)] as const),
      next({ kind: 'continuous', timeline: 2, previous: { id: 'one', end: at(400) } }),
      { kind: 'gap', reason: 'timeline-diverged' },
    ],
    [
      ...(['missed an epoch in between', at(400)] as const),
      next({ kind: 'continuous', timeline: 2, previous: { id: 'other', end: at(400) } }),
      { kind: 'gap', reason: 'broker-behind' },
    ],
  ] as const)('a reader that %s', (_, position, present, passage) => {
    expect(judgePassage(epoch(), { read: position, whole: position }, present)).toEqual(passage)
  })

  it('a reader that stands within a transaction goes on before it, if it has read all there is of it', () => {
    const promoted = (end: EntryId) =>
      next({ kind: 'continuous', timeline: 2, previous: { id: 'one', end }, floor: at(399, INDEX_AFTER_ALL) })
    const reading = { read: at(400, 2), whole: at(300) }
    const goOn = { kind: 'go-on', position: at(399, INDEX_AFTER_ALL) }
    expect(judgePassage(epoch(), reading, promoted(at(400, 2)))).toEqual(goOn)
    const behind = { kind: 'gap', reason: 'broker-behind' }
    expect(judgePassage(epoch(), reading, promoted(at(400, 3)))).toEqual(behind)
  })
})
