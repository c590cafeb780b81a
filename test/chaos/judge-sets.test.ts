/** The judge of sets: a set that is right passes, and each way to be wrong is found. */
import { expect, it } from 'vitest'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { judgeSet, type SetTruth } from './judge-sets.ts'
import type { DecodedTransaction, RelatedChange } from './second-decoder.ts'
import type { SetEvent, SetSession } from './set-follower.ts'
import { type CommentRow, SET_TEAMS, SET_VIEWS, type SetView } from './set-views.ts'

const [TEAM = ''] = SET_TEAMS
const VIEW = SET_VIEWS.find(({ name }) => name === 'of the members') as SetView
const comment = (id: string, authorId = 'u', body = 'said'): CommentRow => ({
  id,
  body,
  postId: '1',
  authorId,
})
const member = (user_id: string) => ({ user_id, team_id: TEAM })
const given = (user: string): RelatedChange => ({ table: 'team_memberships', old: null, new: member(user) })
const taken = (user: string): RelatedChange => ({ table: 'team_memberships', old: member(user), new: null })
const wrote = (row: CommentRow): RelatedChange => ({ table: 'Comment', old: null, new: row })

/** Each with its commit record from `n00` to `n10`. */
const decoded = [
  [wrote(comment('1')), wrote(comment('2', 'v'))],
  [given('u')],
  [wrote(comment('3'))],
  [taken('u')],
  [wrote(comment('4'))],
].map(
  (related, at): DecodedTransaction => ({
    ...{ xid: String(at), endLsn: toLsn(BigInt((at + 1) * 100 + 10)), isDdl: false, changes: [], related },
    cuts: [],
  }),
)
const TRUTH: SetTruth = { decoded, gaps: [], straighten: (cursor) => cursor }

function event(at: number, rest: Partial<SetEvent>): SetEvent {
  const cursor = formatCursor({ systemId: '7', timeline: 1 }, toLsn(BigInt((at + 1) * 100)), 0)
  const bare = { action: 'READ', transition: null, cause: null, key: null, new: null }
  return { ...bare, cursor, transaction: { xid: String(at) }, ...rest }
}
const entered = (at: number, row: CommentRow, rest: Partial<SetEvent> = {}) =>
  event(at, { transition: 'ENTERED', key: { rowId: row.id ?? '' }, new: row, ...rest })
const left = (at: number, rowId: string) => event(at, { transition: 'LEFT', key: { rowId } })
const ready = (at: number) => event(at, { action: 'READY', transaction: null })
/** Something of a transaction that moves nothing, so that the one before is over. */
const END = event(99, {})

const WHOLE = [
  ready(0),
  entered(1, comment('1')),
  entered(2, comment('3'), { action: 'INSERT' }),
  left(3, '1'),
  left(3, '3'),
  END,
]

function faultsOf(events: readonly SetEvent[], truth = TRUTH): readonly string[] {
  const session: SetSession = { events: [...events], resyncReason: null }
  return judgeSet(truth, { name: 'set', view: VIEW, sessions: [session] }).faults
}

it('finds nothing in a set that is right, from the first rows on', () => {
  expect(faultsOf(WHOLE)).toEqual([])
  const later = [
    entered(2, comment('1'), { transaction: null }),
    entered(2, comment('3'), { transaction: null }),
    ready(2),
  ]
  expect(faultsOf([...later, ...WHOLE.slice(3)])).toEqual([])
  const session: SetSession = { events: WHOLE, resyncReason: null }
  expect(judgeSet(TRUTH, { name: 'set', view: VIEW, sessions: [session] }).compared).toBe(8)
})

it.each(WHOLE.slice(1, -1).map((_, index) => index + 1))('finds event %i missing', (index) => {
  expect(faultsOf(WHOLE.filter((_, at) => at !== index))).not.toEqual([])
})

it('finds a first row that is missing, one with another body, and one that was never in sight', () => {
  const later = [entered(2, comment('1'), { transaction: null }), ready(2), ...WHOLE.slice(3)]
  expect(faultsOf(later).join()).toContain('lacks 3|')
  expect(
    faultsOf(WHOLE.map((each) => (each === WHOLE[1] ? entered(1, comment('1', 'u', 'else')) : each))).join(),
  ).toContain('has 1|else')
  const shown = [
    ...WHOLE.slice(0, -1),
    event(4, { action: 'INSERT', transition: 'LEFT', key: { rowId: '4' } }),
    END,
  ]
  expect(faultsOf(shown).join()).toContain('neither before nor after')
})

it('says nothing of what lies in a gap of the posts, and of what is kept behind it', () => {
  const gap = { name: 'gap', isCertain: true, fromLsn: toLsn(150n), toLsn: toLsn(450n) }
  const without = WHOLE.filter((each) => each !== WHOLE[1])
  expect(faultsOf(without, { ...TRUTH, gaps: [{ ...gap, models: ['Post'] }] })).toEqual([])
  expect(faultsOf(without, { ...TRUTH, gaps: [{ ...gap, models: ['Tag'] }] })).not.toEqual([])
  const short = { ...gap, models: ['Post' as const], toLsn: toLsn(350n) }
  expect(faultsOf(without, { ...TRUTH, gaps: [short] })).not.toEqual([])
})
