/** What live lists are made of: operations, the order of rows, what waits for one subscriber. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf } from '../../src/graphql/reading/row-weights.ts'
import { type KeptSetHome, KeptSets } from '../../src/sets/kept-sets.ts'
import { KeptSubscription } from '../../src/sets/kept-subscription.ts'
import { listOperations, seenOperations } from '../../src/sets/list-operations.ts'
import { OrderedWindow, type WindowRow } from '../../src/sets/ordered-window.ts'
import { ReadBudget } from '../../src/sets/read-budget.ts'
import { readWindow } from '../../src/sets/read-window.ts'
import { rowOrderOf } from '../../src/sets/row-order.ts'
import type { SetStep } from '../../src/sets/set-step.ts'
import { TotalsView } from '../../src/sets/totals-view.ts'
import { UntakenPatches } from '../../src/sets/untaken-patches.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

const row = (id: number, version = 0): WindowRow => ({
  id: String(id),
  key: { id },
  row: { id, version },
  bytes: 64,
  revision: 0,
  related: null,
})

/** As a client does it, by keys and indexes alone. */
function applied(from: readonly WindowRow[], to: readonly WindowRow[]): readonly WindowRow[] {
  const list = [...from]
  for (const { kind, index, row: next } of listOperations(from, to)) {
    const at = list.findIndex(({ id }) => id === next.id)
    expect(at >= 0).toBe(kind !== 'INSERT')
    if (kind === 'REMOVE' || kind === 'UPDATE') expect(at).toBe(index)
    if (at >= 0) list.splice(at, 1)
    if (kind !== 'REMOVE') list.splice(index, 0, next)
  }
  return list
}

const lists = fc.uniqueArray(fc.tuple(fc.nat(12), fc.nat(1)), { selector: ([id]) => id, maxLength: 10 })

describe('operations of a list', () => {
  it('lead from any list to any other', () => {
    fc.assert(
      fc.property(lists, lists, (from, to) => {
        const [before, after] = [from, to].map((list) => list.map(([id, version]) => row(id, version)))
        expect(applied(before ?? [], after ?? [])).toEqual(after)
      }),
    )
  })

  it('are few: a row that moves is one, and what is the same is none', () => {
    const rows = [1, 2, 3, 4, 5].map((id) => row(id))
    const kinds = (ids: readonly number[]) =>
      listOperations(
        rows,
        ids.map((id) => row(id)),
      ).map(({ kind, index }) => `${kind} ${index}`)
    expect(kinds([1, 2, 3, 4, 5])).toEqual([])
    expect(kinds([2, 3, 4, 5, 1])).toEqual(['MOVE 4'])
    expect(kinds([5, 1, 2, 3, 4])).toEqual(['MOVE 0'])
    expect(kinds([9, 1, 2, 3, 4])).toEqual(['REMOVE 4', 'INSERT 0'])
  })

  it('are none for a row of which nothing has changed that may be seen', () => {
    const [before, after] = [0, 1].map((version) => [row(1, version), row(2, version)])
    const [from, to] = [before ?? [], [...(after ?? []), row(3)]]
    const kindsSeen = (fields: readonly string[] | null) =>
      seenOperations(listOperations(from, to), from, fields && new Set(fields)).map(({ kind }) => kind)
    expect(kindsSeen(['id'])).toEqual(['INSERT'])
    for (const all of [['id', 'version'], null])
      expect(kindsSeen(all).sort()).toEqual(['INSERT', 'UPDATE', 'UPDATE'])
  })

  it('take so many steps as the lists are long, whatever happens to them: a thousand lists share a change', () => {
    let steps = 0
    const counted = (id: number, version = 0) =>
      Object.defineProperty(row(id, version), 'id', {
        get() {
          steps += 1
          return String(id)
        },
      })
    const ids = Array.from({ length: 1_000 }, (_, id) => id)
    const changes: Readonly<Record<string, readonly number[]>> = {
      'the last comes first': [999, ...ids.slice(0, -1)],
      'one comes, one goes': [1_000, ...ids.slice(0, -1)],
      'all the other way round': [...ids].reverse(),
      'two in turn': ids.map((id) => id ^ 1),
      'all others': ids.map((id) => id + 1_000),
    }
    for (const [what, to] of Object.entries(changes)) {
      steps = 0
      const from = ids.map((id) => counted(id))
      const rows = to.map((id) => counted(id))
      listOperations(from, rows)
      expect(steps, what).toBeLessThan(20 * ids.length)
    }
  })
})

/** What is written to a model with a number: a row comes, changes its key or its number, or leaves. */
const writes = fc.array(fc.record({ id: fc.nat(14), to: fc.nat(14), count: fc.option(fc.nat(9)) }), {
  maxLength: 40,
})
const first = fc.uniqueArray(fc.tuple(fc.nat(14), fc.option(fc.nat(9))), {
  selector: ([id]) => id,
  minLength: 9,
})

/** Each write as a step, with the rows there are then. A write that meets a row moves it, or deletes it. */
function* stepsOf(
  rows: Map<number, number | null>,
  list: readonly { readonly id: number; readonly to: number; readonly count: number | null }[],
): Iterable<SetStep> {
  const keyed = (id: number, count: number | null) => ({ key: { id }, row: { id, count } })
  for (const { id, to, count } of list) {
    const before = rows.has(id) ? keyed(id, rows.get(id) ?? null) : null
    rows.delete(id)
    const after = before === null || (id !== to && !rows.has(to)) || count !== null ? keyed(to, count) : null
    if (after !== null && rows.has(to)) {
      if (before !== null) yield { before, after: null }
      continue
    }
    if (after !== null) rows.set(to, count)
    yield { before, after }
  }
}

const numbered = buildModel([buildField('id', 'Int'), buildField('count', 'Int', { isRequired: false })], {
  name: 'Numbered',
  primaryKey: ['id'],
})

describe('what is kept of a list', () => {
  const order = rowOrderOf(numbered, blogCatalog, [{ field: numbered.fields[1] as never, direction: 'desc' }])
  const sorted = (rows: ReadonlyMap<number, number | null>) =>
    [...rows]
      .map(([id, count]) => ({ id, count }))
      .sort((a, b) => (b.count ?? 99) - (a.count ?? 99) || a.id - b.id)

  it('is what there is, or asks: after each step, from the rows that were read on', () => {
    let asked = 0
    fc.assert(
      fc.property(first, writes, (from, list) => {
        const rows = new Map(from)
        const window = new OrderedWindow({
          take: 3,
          margin: 2,
          order,
          idOf: ({ id }) => String(id),
          bytesOf: () => 10,
        })
        const read = () =>
          window.reset(
            sorted(rows)
              .slice(0, window.readCount)
              .map((each) => ({ key: { id: each.id }, row: each })),
          )
        read()
        for (const step of stepsOf(rows, list)) {
          if (window.apply(step) === 'unknown') {
            asked += 1
            read()
          }
          const shown = window.shown().map((each) => each.row)
          expect(shown).toEqual(sorted(rows).slice(0, 3))
          expect(window.bytes).toBeGreaterThanOrEqual(10 * shown.length)
          expect(window.bytes).toBeLessThanOrEqual(10 * (3 + 2))
        }
      }),
    )
    expect(asked).toBeGreaterThan(0)
  })

  it('is what its totals are, or asks', () => {
    let asked = 0
    const fields = numbered.fields.filter(({ name }) => name === 'count')
    fc.assert(
      fc.property(first, writes, (from, list) => {
        const rows = new Map(from)
        const totals = () => {
          const counts = [...rows.values()].filter((each) => each !== null)
          const none = counts.length === 0
          return {
            count: rows.size,
            sum: { count: none ? null : counts.reduce((sum, each) => sum + each, 0) },
            min: { count: none ? null : Math.min(...counts) },
            max: { count: none ? null : Math.max(...counts) },
          }
        }
        const view = new TotalsView({ sum: fields, min: fields, max: fields }, blogCatalog, bytesOf)
        const read = () => {
          const filled = { count: [...rows.values()].filter((each) => each !== null).length }
          view.reset({ ...totals(), filled, bytes: 0 })
        }
        read()
        for (const step of stepsOf(rows, list)) {
          if (view.apply(step) === 'unknown') {
            asked += 1
            read()
          }
          expect(view.shown()).toEqual(totals())
        }
      }),
    )
    expect(asked).toBeGreaterThan(0)
  })
})

describe('keys that change hands within a transaction, where they are deferrable', () => {
  const opened = () => {
    const order = rowOrderOf(numbered, blogCatalog, [
      { field: numbered.fields[1] as never, direction: 'asc' },
    ])
    const window = new OrderedWindow({
      ...{ take: 2, margin: 1, order, bytesOf: () => 10 },
      idOf: ({ id }) => String(id),
    })
    window.reset([1, 2, 3, 4].map((id) => keyed(id, id)))
    return window
  }
  const keyed = (id: number, count: number) => ({ key: { id }, row: { id, count } })

  it('are asked for again: a row that takes the key of another, one that is kept or not, and one that comes under it', () => {
    expect(opened().apply({ before: keyed(1, 1), after: keyed(2, 1) })).toBe('unknown')
    expect(opened().apply({ before: keyed(1, 1), after: keyed(9, 1) })).toBe('unknown')
    expect(opened().apply({ before: null, after: keyed(2, 0) })).toBe('unknown')
    const window = opened()
    expect(window.apply({ before: null, after: keyed(9, 0) })).toBe('changed')
    // The one that had it until then, and is not in the list.
    expect(window.apply({ before: keyed(9, 90), after: null })).toBe('unknown')
  })
})

describe('the least and the greatest of texts that are equal and do not look the same', () => {
  const names = buildModel(
    [buildField('id', 'Int'), { ...buildField('name', 'String'), nativeType: 'Citext' }],
    {
      name: 'Named',
      primaryKey: ['id'],
    },
  )
  const kept = (min: string) => {
    const fields = { sum: [], min: names.fields.slice(1), max: [] }
    const view = new TotalsView(fields, blogCatalog, bytesOf)
    view.reset({ count: 1, filled: {}, sum: {}, min: { name: min }, max: {}, bytes: 0 })
    return view
  }
  const named = (name: string) => ({ key: { id: 1 }, row: { id: 1, name } })

  it('are asked for again', () => {
    expect(kept('a').apply({ before: named('a'), after: named('A') })).toBe('unknown')
    expect(kept('a').apply({ before: null, after: named('A') })).toBe('unknown')
    expect(kept('a').apply({ before: named('A'), after: null })).toBe('unknown')
    expect(kept('a').apply({ before: named('a'), after: named('a') })).toBe('none')
  })
})

describe('a sum of Int that JavaScript has rounded', () => {
  it('is asked for again, neither shown nor added to', () => {
    const field = buildField('count', 'Int')
    const view = new TotalsView({ sum: [field], min: [], max: [] }, blogCatalog, bytesOf)
    const step = (from: number, to: number): SetStep => ({
      before: { key: { id: 1 }, row: { id: 1, count: from } },
      after: { key: { id: 1 }, row: { id: 1, count: to } },
    })
    const reset = (count: number) =>
      view.reset({ count: 9, filled: { count: 9 }, sum: { count }, min: {}, max: {}, bytes: 0 })
    reset(2 ** 53 - 2)
    expect(view.apply(step(0, 1))).toBe('changed')
    expect(view.shown().sum).toEqual({ count: 2 ** 53 - 1 })
    expect(view.apply(step(0, 2))).toBe('unknown')
    expect(view.shown().sum).toEqual({ count: 2 ** 53 - 1 })
    reset(2 ** 53)
    expect(view.apply(step(2, 0))).toBe('unknown')
  })
})

describe('what waits for one subscriber', () => {
  it('becomes the whole once more where it is too much', async () => {
    let whole = 'whole'
    const untaken = new UntakenPatches(1_000_000)
    const subscription = new KeptSubscription<string>({
      ...{ snapshot: () => whole, leave: () => undefined, untaken },
    })
    const offer = (event: string) => subscription.offer({ event, bytes: 1 })
    offer('a patch before it')
    expect((await subscription.next()).value).toBe('whole')
    for (let count = 0; count < 256; count += 1) offer(`patch ${count}`)
    expect((await subscription.next()).value).toBe('patch 0')
    for (let count = 256; count < 258; count += 1) offer(`patch ${count}`)
    whole = 'the whole as it is now'
    expect((await subscription.next()).value).toBe(whole)
    offer('what comes then')
    subscription.end({ error: new Error('ended') })
    expect((await subscription.next()).value).toBe('what comes then')
    await expect(subscription.next()).rejects.toThrow('ended')
    expect((await subscription.next()).done).toBe(true)
    expect(untaken.bytes).toBe(0)
  })

  it('counts once for all who have it, and whoever left the oldest waiting lets go where it is too much', async () => {
    const untaken = new UntakenPatches(10_000)
    const open = () =>
      new KeptSubscription<string>({ snapshot: () => 'whole', leave: () => undefined, untaken })
    const subscriptions = Array.from({ length: 100 }, open)
    const [slow, quick, ...others] = subscriptions as [KeptSubscription<string>, KeptSubscription<string>]
    const next = async (subscription: KeptSubscription<string>) => (await subscription.next()).value
    for (const each of subscriptions) expect(await next(each)).toBe('whole')
    const offer = (event: string) => {
      const patch = { event, bytes: 3_000 }
      for (const each of subscriptions) each.offer(patch)
    }
    for (const event of ['one', 'two', 'three']) {
      offer(event)
      for (const each of [quick, ...others]) expect(await next(each)).toBe(event)
    }
    expect(untaken.bytes).toBeGreaterThan(9_000)
    offer('four')
    for (const each of [quick, ...others]) expect(await next(each)).toBe('four')
    expect(untaken.bytes).toBe(0)
    expect(await next(slow)).toBe('whole')
    offer('five')
    expect(await next(slow)).toBe('five')
    for (const each of subscriptions) await each.return()
    expect(untaken.bytes).toBe(0)
  })
})

describe('reads of a list', () => {
  it('leave the database alone for twice as long as they took, and end where all of them are slow', () => {
    let now = 0
    const budget = new ReadBudget(() => now, 150)
    expect(budget.dueInMs).toBeLessThanOrEqual(0)
    budget.note(10)
    expect([budget.dueInMs, budget.hurriedDueInMs]).toEqual([140, 90])
    now += 140
    budget.note(500)
    expect([budget.dueInMs, budget.hurriedDueInMs]).toEqual([1_000, 1_000])
    for (let slow = 0; slow < 3; slow += 1) budget.note(5_000)
    expect(() => budget.note(5_000)).toThrow('LIST_TOO_COSTLY')
  })
})

describe('the order of rows', () => {
  const model = blogCatalog.models['User']
  if (model === undefined) throw new Error('The catalog of the test has no User.')
  const field = (name: string) => model.fields.find((each) => each.name === name) ?? model.fields[0]
  const orderBy = (name: string, direction: 'asc' | 'desc', nulls?: 'first' | 'last') =>
    rowOrderOf(model, blogCatalog, [{ field: field(name) as never, direction, nulls }])

  it('has nulls where PostgreSQL has them, and asks the database for that of text', () => {
    const name = model.fields.find(({ type, isRequired }) => type === 'String' && !isRequired)?.name ?? ''
    const [none, some, other] = [{ [name]: null }, { [name]: 'a' }, { [name]: 'b' }]
    expect(orderBy(name, 'asc').compare(none, some)).toBe(1)
    expect(orderBy(name, 'desc').compare(none, some)).toBe(-1)
    expect(orderBy(name, 'asc', 'first').compare(none, some)).toBe(-1)
    expect(orderBy(name, 'asc').compare(some, other)).toBe(null)
  })
})

describe('the memory of lists', () => {
  const tensOf = (rows: readonly object[]) => rows.length * 10
  const findMany = (asked: { take: number }[]) => async (query: object) => {
    const { take } = query as { take: number; skip: number }
    asked.push({ take })
    return Array.from({ length: take }, () => ({}))
  }

  it('is bounded while they are read: a usual one by one query, a large one before all of it has come', async () => {
    const usual: { take: number }[] = []
    const { rows, bytes } = await readWindow(
      findMany(usual),
      {},
      { rowsMax: 64, bytesMax: 1_000, bytesOf: tensOf },
    )
    expect([rows.length, bytes, usual.length]).toEqual([64, 640, 1])
    const large: { take: number }[] = []
    const cut = await readWindow(findMany(large), {}, { rowsMax: 1_251, bytesMax: 1_000, bytesOf: tensOf })
    expect(cut.bytes).toBeGreaterThan(1_000)
    expect(cut.rows.length).toBeLessThan(200)
  })

  it('is bounded for each, and for all together; what has ended makes room', () => {
    const sets = new KeptSets(400)
    const open = (key: string) => {
      const homes: KeptSetHome[] = []
      sets.join(key, { account: null, filterCost: 0, everyMs: 0 }, (home) => {
        homes.push(home)
        return { isEnded: false, subscribers: 1, subscribe: () => ({ whenLeft: () => undefined }) } as never
      })
      return homes[0] as KeptSetHome
    }
    const lists = ['a', 'b', 'c', 'd'].map(open)
    expect(() => lists[0]?.weigh(101)).toThrow('LIST_TOO_COSTLY')
    for (const list of lists) list.weigh(100)
    const other = open('e')
    expect(() => other.weigh(1)).toThrow('LIST_TOO_COSTLY')
    // It would be read for nothing; those that are there are read again.
    const late = open('late')
    expect(() => late.checkRoom()).toThrow('LIST_TOO_COSTLY')
    for (const list of lists) list.checkRoom()
    lists[0]?.onEnded()
    late.checkRoom()
    other.weigh(100)
    lists[1]?.weigh(50)
    expect(() => open('f').weigh(51)).toThrow('LIST_TOO_COSTLY')
  })
})
