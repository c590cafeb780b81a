import { expect, test } from 'vitest'
import { judgeLook, passedMarks, slotReading } from '../../src/source/session/session-watch.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { FACTS, GOAL, SLOT } from './slot-facts-fixture.ts'

const facts = (publication: { readonly oid: number; readonly actions: string } | null) => ({
  ...FACTS,
  publication,
})
const before = facts({ oid: 1, actions: 'iudt' })

test('a look ends the stream for what the facts forbid, and for what changed since it began', () => {
  expect(judgeLook(before, before, GOAL)).toBeNull()
  expect(judgeLook(before, facts(null), GOAL)?.code).toBe('SOURCE_PUBLICATION_MISSING')
  expect(judgeLook(before, facts({ oid: 2, actions: 'iudt' }), GOAL)?.message).toContain('recreated')
  expect(judgeLook(before, facts({ oid: 1, actions: 'iu' }), GOAL)?.code).toBe(
    'SOURCE_PUBLICATION_INCOMPLETE',
  )
  // What cannot be compared has not changed; what is forbidden is so without a comparison.
  expect(judgeLook(null, facts({ oid: 2, actions: 'iu' }), GOAL)).toBeNull()
  expect(judgeLook(null, facts(null), GOAL)?.code).toBe('SOURCE_PUBLICATION_MISSING')
  // A slot that is gone says more than a publication that changed.
  const gone = { ...facts({ oid: 2, actions: 'iudt' }), slot: null }
  expect(judgeLook(before, gone, GOAL)?.code).toBe('SOURCE_SLOT_MISSING')
})

test('a mark is passed once the slot stands behind its transaction', () => {
  const skips = [1n, 5n, 6n, 9n].map(toLsn)
  expect(passedMarks({ skips, slot: { ...SLOT, confirmedLsn: toLsn(6n) } })).toEqual([1n, 5n, 6n])
  expect(passedMarks({ skips, slot: { ...SLOT, confirmedLsn: null } })).toEqual([])
  expect(passedMarks({ skips, slot: null })).toEqual([])
})

test('a reading takes what is not known of a slot for nothing held', () => {
  const position = { safeLsn: toLsn(7n), releasedLsn: toLsn(3n) }
  const now = { ...FACTS, serverLsn: toLsn(9n), maySnapshot: true }
  const known = { ...SLOT, retainedBytes: 100, restartBytes: 40 }
  const shared = { ...position, serverLsn: 9n, maySnapshot: true }
  expect(slotReading(known, now, position)).toEqual({ ...shared, retainedBytes: 100, restartBytes: 40 })
  const unknown = { ...SLOT, retainedBytes: null, restartBytes: null }
  expect(slotReading(unknown, now, position)).toEqual({ ...shared, retainedBytes: 0, restartBytes: 0 })
})
