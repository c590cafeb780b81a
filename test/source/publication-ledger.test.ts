import { describe, expect, it } from 'vitest'
import type { ModelLook } from '../../src/source/published/model-look.ts'
import { PublicationLedger } from '../../src/source/published/publication-ledger.ts'
import type {
  PublishedModel,
  PublishedPart,
  PublishedTable,
} from '../../src/source/published/published-tables.ts'
import { isSamePublished } from '../../src/source/published/published-tables.ts'
import { parseOpenXids, type Writers } from '../../src/source/published/writers.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const table: PublishedTable = {
  oid: 1,
  evidence: 'a',
  fileNode: 1,
  toastOid: 7,
  parts: [],
  rewriteMeans: 'nothing',
}
const first: PublishedModel = [table]
const second: PublishedModel = [{ ...table, evidence: 'b' }]
const at = (published: PublishedModel | null, isOlderThanSlot = false): ReadonlyMap<string, ModelLook> =>
  new Map([['Item', { published, isOlderThanSlot }]])
const writing = (lsn: bigint, ...names: string[]): Writers => ({
  lsn: toLsn(lsn),
  byModel: new Map(names.length === 0 ? [] : [['Item', new Set(names)]]),
})

/** A ledger that knows the first state from a barrier. */
function createLedger(): PublicationLedger {
  const ledger = new PublicationLedger()
  ledger.pass({ published: new Map([['Item', first]]), cut: [], cleanFrom: toLsn(0n) })
  ledger.complete()
  return ledger
}

describe('what is published of a table is the same', () => {
  const rewritten = { ...table, fileNode: 2 }
  const remade = { ...rewritten, toastOid: 8 }
  it.each<[string, PublishedTable, boolean]>([
    ['when nothing differs', table, true],
    ['not when it is another table', { ...table, oid: 2 }, false],
    ['not when a row behind it is another one', { ...table, evidence: 'b' }, false],
    ['after a rewrite of one that is published by name', remade, true],
    ['after VACUUM FULL of one that might be UNLOGGED', { ...rewritten, rewriteMeans: 'unlogged' }, true],
    ['not after ALTER TABLE wrote it again', { ...remade, rewriteMeans: 'unlogged' }, false],
    [
      'not where nothing distinguishes the two',
      { ...rewritten, toastOid: 0, rewriteMeans: 'unlogged' },
      false,
    ],
    ['not where it may be a TRUNCATE', { ...rewritten, rewriteMeans: 'truncate' }, false],
  ])('%s', (_title, now, isSame) => {
    const before = now.toastOid === 0 ? { ...table, toastOid: 0 } : table
    expect(isSamePublished([before], [now])).toBe(isSame)
  })

  it('not when a table has come or gone', () => {
    expect(isSamePublished(first, [])).toBe(false)
    expect(isSamePublished(first, [table, { ...table, oid: 2 }])).toBe(false)
  })
})

describe('what is published of a table with partitions is the same', () => {
  const known: PublishedPart = [5, 700, 50, false]
  const at = (...parts: PublishedPart[]): PublishedModel => [{ ...table, parts }]
  it.each<[string, PublishedModel, boolean]>([
    ['when nothing differs', at(known), true],
    ['when one is made as a partition', at(known, [6, 701, 60, true]), true],
    ['not when one is attached', at(known, [6, 701, 60, false]), false],
    ['not when one is detached', at(), false],
    ['not when one was detached for a while', at([5, 702, 50, false]), false],
    ['not when one was truncated, or rewritten', at([5, 700, 51, false]), false],
  ])('%s', (_title, now, isSame) => {
    expect(isSamePublished(at(known), now)).toBe(isSame)
  })

  it('and what was made is known from then on, in the process and in the next barrier', () => {
    const ledger = createLedger()
    const born = at([6, 701, 60, true])
    const look = (published: PublishedModel) =>
      ledger.look(new Map([['Item', { published, isOlderThanSlot: false }]]))
    look(born)
    expect([ledger.isVerified('Item'), ledger.hasNews]).toEqual([true, true])
    const barrier = ledger.renew()
    expect(barrier).toMatchObject({ published: new Map([['Item', born]]), cut: [] })
    // An older barrier that was on its way says less than is known.
    ledger.pass({ published: new Map([['Item', first]]), cut: [], cleanFrom: toLsn(0n) })
    expect(ledger.hasNews).toBe(true)
    if (barrier !== null) ledger.pass(barrier)
    expect(ledger.hasNews).toBe(false)
    look(at([6, 701, 61, true]))
    expect(ledger.isHeld('Item')).toBe(true)
  })
})

describe('a model', () => {
  it('of which a column is gone at one look is another one where a column of its name is there at the next', () => {
    const withColumns = (names: string, ...written: [number, number][]): PublishedModel => [
      { ...table, columns: { names, written } },
    ]
    const [id, note] = ['0000000a', '0000000b']
    const ledger = new PublicationLedger()
    ledger.pass({
      published: new Map([['Item', withColumns(id + note, [700, 2])]]),
      ...{ cut: [], cleanFrom: toLsn(0n) },
    })
    ledger.complete()
    const gone = withColumns(id, [700, 1])
    ledger.look(at(gone))
    expect(ledger.isVerified('Item')).toBe(true)
    // What the next process is given of it is no less.
    expect(ledger.knownOf('Item', gone[0] as PublishedTable).columns?.names).toBe(id + note)
    ledger.look(at(withColumns(`${id}--------${note}`, [700, 1], [0, 1], [709, 1])))
    expect(ledger.isHeld('Item')).toBe(true)
  })

  it('that is as the last barrier says is verified', () => {
    const ledger = createLedger()
    ledger.look(at(first))
    expect([ledger.isVerified('Item'), ledger.isHeld('Item'), ledger.awaited.size]).toEqual([true, false, 0])
  })

  it('that has changed is held until its barrier has come', () => {
    const ledger = createLedger()
    ledger.look(at(second))
    expect(ledger.isHeld('Item')).toBe(true)
    const barrier = ledger.plan(writing(100n))
    expect(barrier).toEqual({ published: new Map([['Item', second]]), cut: ['Item'], cleanFrom: 100n })
    expect(ledger.plan(writing(101n))).toBe(null)
    expect(ledger.isHeld('Item')).toBe(true)
    if (barrier !== null) ledger.pass(barrier)
    expect([ledger.isVerified('Item'), ledger.isHeld('Item')]).toEqual([true, false])
  })

  it('waits for those who wrote when it changed, and for nobody else', () => {
    const ledger = createLedger()
    ledger.look(at(second))
    expect(ledger.plan(writing(100n, '3/1', '4/1'))).toBe(null)
    expect(ledger.plan(writing(110n, '4/1', '5/1'))).toBe(null)
    expect(ledger.writersOf('Item')).toBe(1)
    expect(ledger.plan(writing(120n, '5/1'))?.cleanFrom).toBe(120n)
  })

  it('waits at a standby, which knows of no locks, for every id that may be of an open transaction', () => {
    const open = (lsn: bigint, from: bigint, below: bigint): Writers => ({
      ...writing(lsn),
      open: { from, below },
    })
    const ledger = createLedger()
    ledger.look(at(second))
    expect(ledger.plan(open(100n, 7n, 9n))).toBe(null)
    expect(ledger.writersOf('Item')).toBe(1)
    expect(ledger.plan(open(110n, 8n, 20n))).toBe(null)
    expect(ledger.plan(open(120n, 9n, 30n))?.cleanFrom).toBe(120n)
    const quiet = createLedger()
    quiet.look(at(second), open(90n, 9n, 9n))
    expect(quiet.plan(open(100n, 9n, 12n))?.cleanFrom).toBe(90n)
    const busy = createLedger()
    busy.look(at(second), open(90n, 8n, 9n))
    expect(busy.plan(open(100n, 8n, 9n))).toBe(null)
  })

  it('counts at a standby on every id that was given, whatever its snapshot ends with', () => {
    expect(parseOpenXids('763:763:', 761)).toEqual({ from: 763n, below: 764n })
    expect(parseOpenXids('763:765:', 762)).toEqual({ from: 763n, below: 765n })
    const wrap = 2n ** 32n
    // The next id is 5 of the epoch behind it.
    expect(parseOpenXids(`${wrap - 2n}:${wrap - 1n}:`, 2)).toEqual({ from: wrap - 2n, below: wrap + 5n })
    expect(parseOpenXids(`${3n * wrap + 4n}:${3n * wrap + 4n}:`, 2)?.below).toBe(3n * wrap + 5n)
    expect(parseOpenXids(null, 2)).toBe(null)
  })

  it('that changes again while its barrier is on its way is held for the second one', () => {
    const ledger = createLedger()
    ledger.look(at(second))
    const barrier = ledger.plan(writing(100n))
    ledger.look(at(first))
    if (barrier !== null) ledger.pass(barrier)
    expect(ledger.isHeld('Item')).toBe(true)
    expect(ledger.plan(writing(110n))?.published.get('Item')).toBe(first)
  })

  it('that was absent is suspect when it is back, though nothing differs', () => {
    const ledger = createLedger()
    ledger.look(at(null))
    expect(ledger.isVerified('Item')).toBe(false)
    ledger.look(at(first, true))
    expect(ledger.isHeld('Item')).toBe(true)
  })

  it('whose rows come from another table is held at once, and once', () => {
    const ledger = createLedger()
    expect(ledger.seeTable('Item', 1)).toBe(false)
    expect(ledger.seeTable('Item', 9)).toBe(true)
    expect(ledger.seeTable('Item', 9)).toBe(false)
    expect(ledger.isHeld('Item')).toBe(true)
    ledger.look(at(first))
    expect(ledger.plan(writing(100n))?.cut).toEqual(['Item'])
  })

  it('gets its barrier again when it was not written, or may have been lost with the stream', () => {
    const ledger = createLedger()
    ledger.look(at(second))
    const barrier = ledger.plan(writing(100n))
    if (barrier !== null) ledger.withdraw(barrier)
    expect(ledger.plan(writing(110n))?.cut).toEqual(['Item'])
    ledger.begin()
    expect(ledger.plan(writing(120n))?.cut).toEqual(['Item'])
  })
})

describe('a process that has just come', () => {
  it('compares nothing before it has read the barriers that are there', () => {
    const ledger = new PublicationLedger()
    ledger.look(at(first))
    expect([ledger.isSettling, ledger.awaited.size]).toEqual([true, 0])
    ledger.pass({ published: new Map([['Item', first]]), cut: [], cleanFrom: toLsn(0n) })
    ledger.complete()
    ledger.look(at(first))
    expect([ledger.isSettling, ledger.isVerified('Item')]).toEqual([false, true])
  })

  it('takes what is older than the slot as it is', () => {
    const ledger = new PublicationLedger()
    ledger.complete()
    ledger.look(at(first, true))
    expect([ledger.isVerified('Item'), ledger.isSettling]).toEqual([true, false])
  })

  it('has a barrier written for what may be younger: those who began with it go on', () => {
    const ledger = new PublicationLedger()
    ledger.complete()
    ledger.look(at(first), writing(90n), false)
    expect([ledger.isHeld('Item'), ledger.isSettling]).toEqual([false, true])
    expect(ledger.plan(writing(100n))?.cleanFrom).toBe(90n)
  })

  it('does not wait with everything for one that waits for a transaction', () => {
    const ledger = new PublicationLedger()
    ledger.complete()
    ledger.look(at(first), writing(90n, '3/1'), false)
    ledger.plan(writing(95n, '3/1'))
    expect(ledger.isSettling).toBe(false)
    expect(ledger.plan(writing(100n))?.cleanFrom).toBe(100n)
  })
})

it('a model that the process before did not have begins with a gap, though an older one knew it', () => {
  const ledger = new PublicationLedger()
  ledger.restore(new Map(), new Set(['Other']))
  ledger.begin()
  ledger.look(at(first, true))
  ledger.pass({ published: new Map([['Item', first]]), cut: [], cleanFrom: toLsn(0n) })
  ledger.complete()
  ledger.look(at(first, true))
  expect(ledger.isHeld('Item')).toBe(true)
  expect(ledger.plan(writing(9n))?.cut).toEqual(['Item'])
})

describe('a stream that begins again while models are suspect', () => {
  it.each([
    ['all of them', new Map<string, PublishedModel>()],
    ['some of them', new Map([['Other', first]])],
  ])('%s: the barrier of this process opens them', (_title, known) => {
    const ledger = createLedger()
    ledger.look(at(second))
    const barrier = ledger.plan(writing(40n))
    if (barrier === null) throw new Error('No barrier is due.')
    // It is in the WAL, and the stream begins before it: with what the broker says of the models that are not suspect.
    ledger.restore(known, new Set(known.keys()))
    ledger.begin()
    ledger.pass(barrier)
    expect(ledger.isHeld('Item')).toBe(false)
    ledger.complete()
    ledger.look(at(second))
    expect(ledger.isVerified('Item')).toBe(true)
    expect(ledger.plan(writing(50n))).toBeNull()
  })

  it('and the process in between did not have them: an older barrier opens none', () => {
    const ledger = createLedger()
    ledger.look(at(second))
    ledger.plan(writing(40n))
    ledger.restore(new Map(), new Set())
    ledger.begin()
    ledger.pass({ published: new Map([['Item', second]]), cut: ['Item'], cleanFrom: toLsn(30n) })
    expect(ledger.isHeld('Item')).toBe(true)
  })
})

describe('names that nobody here has', () => {
  const forged = (round: number) =>
    new Map(Array.from({ length: 10_000 }, (_, i) => [`Forged${round}_${i}`, []]))

  it('are carried on within a bound, however many barriers bring others', () => {
    const ledger = createLedger()
    for (let round = 0; round < 20; round += 1)
      ledger.pass({ published: forged(round), cut: [], cleanFrom: toLsn(0n) })
    const carried = JSON.stringify([...(ledger.renew()?.published ?? [])])
    expect(carried.length).toBeGreaterThan(10_000)
    expect(carried.length).toBeLessThan(1024 * 1024)
    expect(ledger.isVerified('Item')).toBe(true)
  })

  it('leave room for those of this process', () => {
    const ledger = new PublicationLedger()
    ledger.look(at(first))
    for (let round = 0; round < 5; round += 1)
      ledger.pass({ published: forged(round), cut: [], cleanFrom: toLsn(0n) })
    ledger.pass({ published: new Map([['Item', first]]), cut: [], cleanFrom: toLsn(0n) })
    ledger.complete()
    expect(ledger.isVerified('Item')).toBe(true)
  })
})
