/** The judge itself: each kind of fault, planted in an otherwise perfect record, is found and named. */
import { describe, expect, it } from 'vitest'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import type { Gap } from './gaps.ts'
import type { LedgerChange, LedgerTransaction } from './ledger.ts'
import type { FaultKind, SeenChange, SubscriberRecord, Truth } from './record.ts'
import type { DecodedTransaction } from './second-decoder.ts'
import { checkTruth, judge } from './verdict.ts'

const tag = (before: number | null, after: number | null): LedgerChange => ({ model: 'Tag', before, after })
const rowOf = (mark: number | null) => (mark === null ? null : { id: '1', name: String(mark), color: null })
const actionOf = (before: number | null, after: number | null) =>
  before === null ? 'INSERT' : after === null ? 'DELETE' : 'UPDATE'

/** Two writers; transactions of one, two and three changes, another model in between. */
const LEDGER: readonly LedgerTransaction[] = [
  { id: 1, lane: 0, changes: [tag(null, 1)] },
  { id: 2, lane: 1, changes: [tag(null, 2), { model: 'Team', before: null, after: 3 }, tag(2, 4)] },
  { id: 3, lane: 0, changes: [{ model: 'Team', before: 3, after: null }] },
  { id: 4, lane: 0, changes: [tag(null, 5), tag(1, 6), tag(5, null)] },
  { id: 5, lane: 1, changes: [tag(4, 7)] },
]

/** `b2`: the third change of the second transaction, whose commit record stands at 200 and ends at 210. */
const cursorAt = (place: string) =>
  formatCursor({ systemId: '7', timeline: 1 }, toLsn(commitLsn(place)), Number(place.slice(1)))
const commitLsn = (place: string) => BigInt((place.charCodeAt(0) - 96) * 100)

const seen = (before: number | null, after: number | null, xid: number, isLast: boolean, place: string) => ({
  ...{ before, after, isLast, xid: String(xid), cursor: cursorAt(place) },
  ...{ action: actionOf(before, after), old: rowOf(before), new: rowOf(after) },
})

/** The WAL of a ledger whose transactions committed in the order of their ids. */
const decode = (ledger: readonly LedgerTransaction[]): readonly DecodedTransaction[] =>
  ledger.map(({ id, changes }) => ({
    ...{ xid: String(700 + id), endLsn: toLsn(BigInt(id * 100 + 10)), isDdl: false, related: [], cuts: [] },
    changes: changes.map(({ model, before, after }) => ({
      ...{ model, action: actionOf(before, after), old: rowOf(before), new: rowOf(after) },
    })),
  }))

const TRUTH: Truth = { transactions: LEDGER, decoded: decode(LEDGER), gaps: [], strays: new Set() }

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
  ...{ name: 's', model: 'Tag', columns: ['id', 'name', 'color'], seen: changes, resyncs: [] },
  began: formatCursor({ systemId: '7', timeline: 1 }, toLsn(0n), 0),
  foldFaults: [],
  ...rest,
})

/** Kinds of fault found, each once. */
function kindsOf(
  changes: readonly SeenChange[],
  rest: Partial<SubscriberRecord> = {},
  truth = TRUTH,
): readonly FaultKind[] {
  return [...new Set(judge(truth, [record(changes, rest)]).map(({ kind }) => kind))].sort()
}

const without = (index: number) => PERFECT.filter((_, at) => at !== index)
/** The change at `index`, altered. */
const altered = (index: number, change: Partial<SeenChange>) =>
  PERFECT.map((each, at) => (at === index ? { ...each, ...change } : each))
/** New cursors in the order given, as if the server had counted so. */
const recounted = (changes: readonly SeenChange[]) =>
  changes.map((change, index) => ({ ...change, cursor: cursorAt(`${String.fromCharCode(97 + index)}0`) }))

describe('a perfect record', () => {
  it('has no fault', () => {
    expect(judge(TRUTH, [record(PERFECT)])).toEqual([])
  })

  it('may have the transactions of different writers in no other order than that of their commits', () => {
    const [a, b1, b2, ...rest] = PERFECT
    const swapped = recounted([b1, b2, a, ...rest] as SeenChange[])
    expect(kindsOf(swapped)).toEqual(['disordered'])
    const [one, two, ...others] = TRUTH.decoded as DecodedTransaction[]
    const decoded = [two, one, ...others] as DecodedTransaction[]
    expect(kindsOf(swapped, {}, { ...TRUTH, decoded })).toEqual([])
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
    expect(judge(TRUTH, [record([])]).map(({ kind }) => kind)).toEqual(Array(7).fill('lost'))
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
    const again = { ...(PERFECT[0] as SeenChange), cursor: cursorAt('z9') }
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
    expect(kindsOf(altered(3, { cursor: cursorAt('a9') }))).toContain('disordered')
    expect(kindsOf(altered(6, { cursor: cursorAt('d2') }))).toContain('disordered')
  })
})

describe('a torn transaction', () => {
  it('is found when another one comes within it', () => {
    const [a, b1, b2, d0, d1, d2, e] = PERFECT as SeenChange[]
    expect(kindsOf(recounted([a, b1, d0, d1, d2, b2, e] as SeenChange[]))).toContain('torn')
  })

  it('is found when its changes have different ids, or its end is not where it says', () => {
    expect(kindsOf(altered(4, { xid: '799' }))).toEqual(['contradicting', 'torn'])
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

describe('a wrong row', () => {
  it('is found, old or new, in a column that is no mark', () => {
    const row = { id: '1', name: '6', color: '#fff' }
    expect(kindsOf(altered(4, { new: row }))).toEqual(['wrong row'])
    expect(kindsOf(altered(4, { old: { ...row, name: '1' } }))).toEqual(['wrong row'])
    expect(kindsOf(altered(4, { old: null }))).toEqual(['wrong row'])
  })

  it('is found in what all changes add up to', () => {
    expect(kindsOf(PERFECT, { foldFaults: ['row 1 is not in the table'] })).toEqual(['wrong fold'])
  })
})

describe('resyncs', () => {
  /** All that happened at the fourth transaction. */
  const gap: Gap = {
    ...{ name: 'a gap', models: ['Tag'], isCertain: true },
    ...{ fromLsn: toLsn(390n), toLsn: toLsn(450n) },
  }
  const truth: Truth = { ...TRUTH, gaps: [gap] }
  const resync = { reason: 'r', before: cursorAt('b2'), after: cursorAt('d9') }
  const gapped = PERFECT.filter(({ xid }) => xid !== '704')

  it('excuse what lies between where they found the subscriber and where it went on, and nothing else', () => {
    expect(kindsOf(gapped, { resyncs: [resync] }, truth)).toEqual([])
    expect(kindsOf(gapped.slice(1), { resyncs: [resync] }, truth)).toEqual(['lost'])
    const early = { ...resync, after: cursorAt('c9') }
    expect(kindsOf(gapped, { resyncs: [early] }, truth)).toContain('lost')
  })

  it('that do not come leave the gap silent', () => {
    expect(kindsOf(gapped, {}, truth)).toEqual(['lost', 'missing resync'])
    expect(kindsOf(PERFECT, {}, truth)).toEqual(['missing resync'])
    expect(kindsOf(PERFECT, {}, { ...TRUTH, gaps: [{ ...gap, isCertain: false }] })).toEqual([])
    expect(kindsOf(PERFECT, {}, { ...TRUTH, gaps: [{ ...gap, models: ['Team'] }] })).toEqual([])
  })

  it('that nothing called for are faults', () => {
    expect(kindsOf(PERFECT, { resyncs: [resync] })).toEqual(['unexpected resync'])
    const late = { ...resync, before: cursorAt('e0'), after: cursorAt('f0') }
    expect(kindsOf(gapped, { resyncs: [resync, late] }, truth)).toEqual(['unexpected resync'])
    const other: Truth = { ...TRUTH, gaps: [{ ...gap, models: ['Team'] }] }
    expect(kindsOf(PERFECT, { resyncs: [resync] }, other)).toEqual(['unexpected resync'])
  })

  it('without end are faults, whatever called for them', () => {
    expect(kindsOf(gapped, { resyncs: Array(20).fill(resync) }, truth)).toEqual(['unexpected resync'])
  })
})

describe('a barrier that cuts the model', () => {
  const barrier = {
    xid: '790',
    endLsn: toLsn(350n),
    isDdl: false,
    changes: [],
    related: [],
    cuts: ['Tag' as const],
  }
  const decoded = [...TRUTH.decoded.slice(0, 3), barrier, ...TRUTH.decoded.slice(3)]
  const gap: Gap = {
    name: 'a gap',
    models: ['Tag'],
    isCertain: true,
    fromLsn: toLsn(320n),
    toLsn: toLsn(360n),
  }
  const truth: Truth = { ...TRUTH, decoded, gaps: [gap] }
  const spanning = { reason: 'r', before: cursorAt('b2'), after: cursorAt('d0') }

  it('is passed by nobody, though nothing was lost', () => {
    expect(kindsOf(PERFECT, { resyncs: [spanning] }, truth)).toEqual([])
    expect(kindsOf(PERFECT, {}, truth)).toEqual(['missing resync'])
    const uncertain = { ...truth, gaps: [{ ...gap, isCertain: false }] }
    expect(kindsOf(PERFECT, {}, uncertain)).toEqual(['missing resync'])
    const early = { ...spanning, before: cursorAt('a0'), after: cursorAt('b0') }
    expect(kindsOf(PERFECT, { resyncs: [early] }, uncertain)).toContain('missing resync')
  })

  it('is nothing to those who begin behind it, or end before it, or read another model', () => {
    const uncertain = { ...truth, gaps: [{ ...gap, isCertain: false }] }
    expect(kindsOf(PERFECT.slice(3), { began: cursorAt('d0') }, uncertain)).not.toContain('missing resync')
    expect(kindsOf(PERFECT.slice(0, 3), {}, uncertain)).not.toContain('missing resync')
    const other = { ...barrier, cuts: ['Post' as const] }
    const elsewhere = { ...truth, decoded: decoded.map((each) => (each === barrier ? other : each)) }
    expect(kindsOf(PERFECT, {}, { ...elsewhere, gaps: [{ ...gap, models: ['Post'] }] })).toEqual([])
  })

  it('has a gap of the model behind it', () => {
    expect(kindsOf(PERFECT, { resyncs: [spanning] }, { ...truth, gaps: [] })).toContain('unexpected resync')
  })
})

describe('what a failover gave up', () => {
  const stray = seen(null, 99, 799, true, 'f0')
  const truth: Truth = { ...TRUTH, strays: new Set(['>99']) }
  const resync = { reason: 'r', before: cursorAt('f0'), after: cursorAt('g0') }
  const gap: Gap = {
    ...{ name: 'a failover', models: ['Tag'], isCertain: true },
    ...{ fromLsn: toLsn(550n), toLsn: null },
  }

  it('is queried away before anything else comes', () => {
    expect(kindsOf([...PERFECT, stray], { resyncs: [resync] }, { ...truth, gaps: [gap] })).toEqual([])
    expect(kindsOf([...PERFECT, stray], {}, truth)).toEqual(['phantom'])
    const early = { ...resync, before: cursorAt('e0') }
    expect(kindsOf([...PERFECT, stray], { resyncs: [early] }, { ...truth, gaps: [gap] })).toEqual(['phantom'])
    const between = [...PERFECT.slice(0, 6), { ...stray, cursor: cursorAt('d9') }, PERFECT[6] as SeenChange]
    const late = { ...resync, before: cursorAt('e0') }
    expect(kindsOf(between, { resyncs: [late] }, { ...truth, gaps: [gap] })).toContain('phantom')
  })
})

describe('the judge’s ground', () => {
  it('is that the writers and the WAL know the same changes', () => {
    expect(checkTruth(TRUTH, ['Tag', 'Team'])).toEqual([])
    expect(checkTruth({ ...TRUTH, decoded: TRUTH.decoded.slice(1) }, ['Tag', 'Team'])).toHaveLength(1)
    expect(checkTruth({ ...TRUTH, transactions: LEDGER.slice(1) }, ['Tag', 'Team'])).toHaveLength(1)
  })
})

describe('two subscribers', () => {
  it('must agree on the cursor of each change', () => {
    const other = altered(0, { cursor: cursorAt('a1') })
    const faults = judge(TRUTH, [record(PERFECT), record(other, { name: 't' })])
    expect(faults).toMatchObject([{ kind: 'contradicting', subscriber: 't' }])
  })
})
