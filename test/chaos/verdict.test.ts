/** The judge itself: each kind of fault, planted in an otherwise perfect record, is found and named. */
import { describe, expect, it } from 'vitest'
import type { LedgerChange, LedgerTransaction } from './ledger.ts'
import { type FaultKind, judge, type SeenChange, type SubscriberRecord } from './verdict.ts'

const tag = (before: number | null, after: number | null): LedgerChange => ({ model: 'Tag', before, after })

/** Two writers; transactions of one, two and three changes, another model in between. */
const LEDGER: readonly LedgerTransaction[] = [
  { id: 1, lane: 0, changes: [tag(null, 1)] },
  { id: 2, lane: 1, changes: [tag(null, 2), { model: 'Team', before: null, after: 3 }, tag(2, 4)] },
  { id: 3, lane: 0, changes: [{ model: 'Team', before: 3, after: null }] },
  { id: 4, lane: 0, changes: [tag(null, 5), tag(1, 6), tag(5, null)] },
  { id: 5, lane: 1, changes: [tag(4, 7)] },
]

const seen = (before: number | null, after: number | null, xid: number, isLast: boolean, cursor: string) => ({
  ...{ before, after, cursor, isLast, xid: String(xid) },
  action: before === null ? 'INSERT' : after === null ? 'DELETE' : 'UPDATE',
})

const PERFECT: readonly SeenChange[] = [
  seen(null, 1, 701, true, 'a0'),
  seen(null, 2, 702, false, 'b0'),
  seen(2, 4, 702, true, 'b2'),
  seen(null, 5, 704, false, 'd0'),
  seen(1, 6, 704, false, 'd1'),
  seen(5, null, 704, true, 'd2'),
  seen(4, 7, 705, true, 'e0'),
]

const record = (changes: readonly SeenChange[], rest: Partial<SubscriberRecord> = {}): SubscriberRecord => ({
  ...{ name: 's', model: 'Tag', seen: changes, resyncs: 0, expectedResyncs: 0 },
  ...rest,
})

/** Kinds of fault found, each once. */
function kindsOf(
  changes: readonly SeenChange[],
  rest: Partial<SubscriberRecord> = {},
  ledger = LEDGER,
): readonly FaultKind[] {
  return [...new Set(judge(ledger, [record(changes, rest)]).map(({ kind }) => kind))].sort()
}

const without = (index: number) => PERFECT.filter((_, at) => at !== index)
/** The change at `index`, altered. */
const altered = (index: number, change: Partial<SeenChange>) =>
  PERFECT.map((each, at) => (at === index ? { ...each, ...change } : each))
/** New cursors in the order given, as if the server had counted so. */
const recounted = (changes: readonly SeenChange[]) =>
  changes.map((change, index) => ({ ...change, cursor: String(100 + index) }))

describe('a perfect record', () => {
  it('has no fault', () => {
    expect(judge(LEDGER, [record(PERFECT)])).toEqual([])
  })

  it('may have the transactions of different writers in any order', () => {
    const [a, b1, b2, ...rest] = PERFECT
    expect(kindsOf(recounted([b1, b2, a, ...rest] as SeenChange[]))).toEqual([])
  })
})

describe('a loss', () => {
  it.each(PERFECT.map((change, index) => [`${change.action} at ${index}`, index] as const))(
    'is found: %s',
    (_name, index) => {
      expect(kindsOf(without(index))).toContain('lost')
    },
  )

  it('of everything is found', () => {
    expect(judge(LEDGER, [record([])]).map(({ kind }) => kind)).toEqual(Array(7).fill('lost'))
  })

  it('of a whole transaction, a silent gap, is nothing but a loss', () => {
    expect(kindsOf(without(0))).toEqual(['lost'])
    expect(kindsOf(PERFECT.slice(0, 6))).toEqual(['lost'])
  })
})

describe('a duplicate', () => {
  it.each(PERFECT.map((_, index) => index))('is found: the change at %i at once', (index) => {
    const change = PERFECT[index] as SeenChange
    expect(kindsOf([...PERFECT.slice(0, index), change, ...PERFECT.slice(index)])).toContain('duplicated')
  })

  it('is found much later, with a cursor of its own', () => {
    const again = { ...(PERFECT[0] as SeenChange), cursor: 'z9' }
    expect(kindsOf([...PERFECT, again])).toContain('duplicated')
  })
})

describe('disorder', () => {
  it('between transactions of one writer is found, whatever the cursors say', () => {
    const [a, b1, b2, d0, d1, d2, e] = PERFECT as SeenChange[]
    expect(kindsOf(recounted([b1, b2, d0, d1, d2, a, e] as SeenChange[]))).toContain('disordered')
  })

  it('within a transaction is found', () => {
    const [a, b1, b2, d0, d1, d2, e] = PERFECT as SeenChange[]
    expect(kindsOf(recounted([a, b1, b2, d1, d0, d2, e] as SeenChange[]))).toContain('disordered')
  })

  it('of cursors is found', () => {
    expect(kindsOf(altered(3, { cursor: 'a9' }))).toContain('disordered')
    expect(kindsOf(altered(6, { cursor: 'd2' }))).toContain('disordered')
  })
})

describe('a torn transaction', () => {
  it('is found when another one comes within it', () => {
    const [a, b1, b2, d0, d1, d2, e] = PERFECT as SeenChange[]
    expect(kindsOf(recounted([a, b1, d0, d1, d2, b2, e] as SeenChange[]))).toContain('torn')
  })

  it('is found when its changes have different ids, or its end is not where it says', () => {
    expect(kindsOf(altered(4, { xid: '799' }))).toEqual(['torn'])
    expect(kindsOf(altered(5, { isLast: false }))).toEqual(['torn'])
    expect(kindsOf(altered(1, { isLast: true }))).toEqual(['torn'])
  })
})

describe('what was never committed', () => {
  it('is found', () => {
    expect(kindsOf([...PERFECT, seen(null, 99, 799, true, 'z0')])).toEqual(['phantom'])
  })

  it('is found when only the old row is wrong', () => {
    expect(kindsOf(altered(4, { before: 2 }))).toContain('phantom')
  })

  it('is found when only the action is wrong', () => {
    expect(kindsOf(altered(4, { action: 'INSERT' }))).toEqual(['contradicting'])
  })
})

describe('resyncs', () => {
  const gapLedger = LEDGER.map((transaction) => ({ ...transaction, isInGap: transaction.id === 4 }))
  const gapped = PERFECT.filter(({ xid }) => xid !== '704')

  it('excuse a gap that was made on purpose, and nothing else', () => {
    expect(kindsOf(gapped, { resyncs: 1, expectedResyncs: 1 }, gapLedger)).toEqual([])
    expect(kindsOf(gapped, { resyncs: 1, expectedResyncs: 1 })).toEqual(['lost'])
    expect(kindsOf(gapped.slice(1), { resyncs: 1, expectedResyncs: 1 }, gapLedger)).toEqual(['lost'])
  })

  it('that do not come leave the gap silent', () => {
    expect(kindsOf(gapped, { expectedResyncs: 1 }, gapLedger)).toEqual(['lost', 'missing resync'])
  })

  it('that nothing called for are faults', () => {
    expect(kindsOf(PERFECT, { resyncs: 1 })).toEqual(['unexpected resync'])
    expect(kindsOf(gapped, { resyncs: 2, expectedResyncs: 1 }, gapLedger)).toEqual(['unexpected resync'])
  })
})

describe('two subscribers', () => {
  it('must agree on the cursor of each change', () => {
    const other = altered(0, { cursor: 'a1' })
    const faults = judge(LEDGER, [record(PERFECT), record(other, { name: 't' })])
    expect(faults).toMatchObject([{ kind: 'contradicting', subscriber: 't' }])
  })
})
