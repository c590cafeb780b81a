import { describe, expect, it } from 'vitest'
import type { SlotState } from '../../src/source/facts/slot-state.ts'
import type { SourceFacts } from '../../src/source/slot/slot-facts.ts'
import { judgeBudget, judgeDrift, judgeFacts } from '../../src/source/slot/slot-verdict.ts'
import { FACTS, GOAL, SLOT } from './slot-facts-fixture.ts'

const withSlot = (slot: Partial<SlotState>): SourceFacts => ({ ...FACTS, slot: { ...SLOT, ...slot } })

describe('judgeFacts', () => {
  it('finds nothing in the way, of a standby with a slot of its own neither', () => {
    expect(judgeFacts(FACTS, GOAL)).toBeNull()
    expect(judgeFacts({ ...FACTS, isInRecovery: true }, GOAL)).toBeNull()
  })

  it.each<[string, SourceFacts, string, string]>([
    ['no slot', { ...FACTS, slot: null }, 'SOURCE_SLOT_MISSING', 'enable()'],
    ['a physical slot', withSlot({ slotType: 'physical', plugin: null }), 'SOURCE_SLOT_MISMATCH', 'physical'],
    ['another plugin', withSlot({ plugin: 'wal2json' }), 'SOURCE_SLOT_MISMATCH', 'wal2json'],
    ['another database', withSlot({ database: 'blog' }), 'SOURCE_SLOT_MISMATCH', 'blog'],
    ['WAL removed', withSlot({ walStatus: 'lost' }), 'SOURCE_SLOT_INVALIDATED', 'max_slot_wal_keep_size'],
    [
      'unread for too long',
      withSlot({ walStatus: 'lost', invalidationReason: 'idle_timeout' }),
      'SOURCE_SLOT_INVALIDATED',
      'idle_replication_slot_timeout',
    ],
    [
      'rows removed at a standby',
      withSlot({ invalidationReason: 'rows_removed' }),
      'SOURCE_SLOT_INVALIDATED',
      'hot_standby_feedback',
    ],
    [
      'wal_level lowered',
      withSlot({ invalidationReason: 'wal_level_insufficient' }),
      'SOURCE_SLOT_INVALIDATED',
      'wal_level',
    ],
    ['no publication', { ...FACTS, publication: null }, 'SOURCE_PUBLICATION_MISSING', 'enable()'],
    [
      'no table left',
      { ...FACTS, unpublished: [{ model: 'User', table: 'public.users' }] },
      'SOURCE_PUBLICATION_INCOMPLETE',
      'public.users',
    ],
    ['a standby', { ...FACTS, isInRecovery: true, slot: null }, 'SOURCE_STANDBY_SERVER', 'pg_promote'],
    [
      "a standby's copy of the slot",
      { ...withSlot({ isSynced: true }), isInRecovery: true },
      'SOURCE_STANDBY_SERVER',
      'copy',
    ],
  ])('names %s with its hint', (_name, facts, code, words) => {
    const verdict = judgeFacts(facts, GOAL)
    expect(verdict).toMatchObject({ code })
    expect(verdict?.message).toContain(words)
  })
})

describe('judgeDrift', () => {
  it.each([
    [{ oid: 1, actions: 'iudt' }, null],
    [{ oid: 2, actions: 'iudt' }, 'SOURCE_PUBLICATION_MISSING'],
    [{ oid: 1, actions: 'iut' }, 'SOURCE_PUBLICATION_INCOMPLETE'],
  ])('of the publication to %j is %s', (publication, code) => {
    expect(judgeDrift(FACTS, { ...FACTS, publication }, GOAL)?.code ?? null).toBe(code)
  })

  it('to more actions than before is none', () => {
    const before = { ...FACTS, publication: { oid: 1, actions: 'i' } }
    expect(judgeDrift(before, FACTS, GOAL)).toBeNull()
  })
})

describe('judgeBudget', () => {
  it.each([
    [49, 'within'],
    [51, 'half'],
    [100, 'half'],
    [101, 'full'],
  ])('of 100 bytes with %i held is %s', (retainedBytes, verdict) => {
    expect(judgeBudget({ ...SLOT, retainedBytes }, { bytes: 100 })).toBe(verdict)
  })

  it('never complains without a budget or without a slot', () => {
    expect(judgeBudget({ ...SLOT, retainedBytes: 1e15 }, null)).toBe('within')
    expect(judgeBudget(null, { bytes: 1 })).toBe('within')
  })
})
