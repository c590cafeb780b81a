/**
 * First rows in random worlds: from READY on the fold of what a subscriber gets is, at every boundary of a transaction, what a query
 * would find there. Each mutant of the algorithm is found by one of the worlds.
 */

import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import type { BusSubscription } from '../../src/bus/bus.ts'
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import type { AnyChange, AnyRow } from '../../src/changes/change.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { FirstRows, type FirstRowsEvent, type FirstRowsParts } from '../../src/sets/first-rows.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import { PageSizes } from '../../src/sets/page-sizes.ts'
import { keyOrderOf } from '../../src/sets/read-ranges.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { MvccWorld, type PickBelow, picker } from '../support/mvcc-world.ts'
import { seeing } from '../support/seeing.ts'

const thing = buildModel([buildField('id', 'Int'), buildField('group', 'Int'), buildField('value', 'Int')], {
  name: 'Thing',
  primaryKey: ['id'],
})

const WORLDS = Number(process.env['ROWCAST_TEST_WORLDS'] ?? 300)
const STEPS = 260
/** Of whoever conflates: keys are twice as many. */
const QUEUE_LENGTH = 12

type Mutate = (parts: FirstRowsParts, world: MvccWorld) => FirstRowsParts

/** What a subscriber has, by key. */
class Fold {
  readonly rows = new Map<unknown, AnyRow>()
  readonly faults: string[] = []

  read({ transition, key, row }: Extract<FirstRowsEvent, { kind: 'read' }>): void {
    if (transition === 'ENTERED' && this.rows.has(key['id'])) this.faults.push(`${key['id']} entered twice`)
    if (row === null) this.rows.delete(key['id'])
    else this.rows.set(key['id'], row)
  }

  apply(change: AnyChange, transition: string | null): void {
    const { action, key, oldKey, new: row } = change
    if (oldKey != null) this.rows.delete(oldKey['id'])
    if (action === 'DELETE' || transition === 'LEFT') this.rows.delete((oldKey ?? key)?.['id'])
    else if (row !== null) this.rows.set(row['id'], row)
  }

  text(): string {
    return textOf([...this.rows.values()])
  }
}

function textOf(rows: readonly AnyRow[]): string {
  const texts = rows.map(({ id, group, value }) => `${id}:${group}:${value}`)
  return texts.sort().join(' ')
}

/** Runs one world; what was wrong in it. */
async function runWorld(seed: number, mutate: Mutate = (parts) => parts): Promise<readonly string[]> {
  const pick = picker(seed)
  const world = new MvccWorld(thing, pick)
  const filter =
    pick(2) === 0 ? null : parseChangeFilter(thing, catalogOf(), { where: { group: { not: 0 } } })
  const isAsked = (row: AnyRow) => filter === null || row['group'] !== 0
  let steps = 0
  const tick = async (max = 5) => {
    for (let count = pick(max + 1); count > 0 && steps < STEPS; count -= 1) {
      world.step()
      steps += 1
    }
    if (steps >= STEPS) world.settle()
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (let count = 0; count < 60; count += 1) world.step()
  const rows = new FirstRows(mutate(partsOf(world, pick, { tick, filter, isAsked }), world))
  const fold = new Fold()
  const expectAt = (lsn: bigint, where: string) => {
    const wanted = textOf(world.rowsAt(lsn).filter(isAsked))
    if (fold.text() !== wanted) fold.faults.push(`${where}: has ${fold.text()}, wants ${wanted}`)
  }
  await consume(rows, tick, {
    fold,
    expectAt,
    isOver: () => steps >= STEPS,
  })
  expectAt(2n ** 60n, 'at the end')
  await rows.return()
  return fold.faults
}

interface Checks {
  readonly fold: Fold
  readonly expectAt: (lsn: bigint, where: string) => void
  readonly isOver: () => boolean
}

/** Takes all there is, at a pace of its own. */
async function consume(
  rows: FirstRows,
  tick: () => Promise<void>,
  { fold, expectAt, isOver }: Checks,
): Promise<void> {
  let isReady = false
  let open: bigint | null = null
  for (;;) {
    const state = { result: null as IteratorResult<FirstRowsEvent> | null, error: null as unknown }
    rows.next().then(
      (result) => {
        state.result = result
      },
      (error: unknown) => {
        state.error = error
      },
    )
    for (let idle = 0; state.result === null && state.error === null; idle += 1) {
      await tick()
      if (isOver() && idle > 40) return
    }
    if (state.error !== null) throw state.error
    const { value } = state.result as IteratorYieldResult<FirstRowsEvent>
    if (value.kind === 'read') {
      if (isReady) fold.faults.push('a row after READY')
      expect(value.cursor.slice(0, 2)).toBe('02')
      fold.read(value)
    } else if (value.kind === 'ready') {
      isReady = true
      expectAt(parseCursor(value.cursor).position.commitLsn, 'at READY')
    } else {
      const { change, transition, isLastOfTransaction } = value.delivery
      const { commitLsn } = change.transaction
      // What stands between two boundaries that it has passed is none of its rows.
      if (open !== commitLsn) expectAt(commitLsn - 1n, `before ${commitLsn}`)
      open = isLastOfTransaction ? null : commitLsn
      fold.apply(change, transition)
      if (isLastOfTransaction) expectAt(commitLsn, `after ${commitLsn}`)
    }
  }
}

function catalogOf() {
  return { ...blogCatalog, models: { Thing: thing } }
}

function partsOf(
  world: MvccWorld,
  pick: PickBelow,
  {
    tick,
    filter,
    isAsked,
  }: {
    tick: () => Promise<void>
    filter: ReturnType<typeof parseChangeFilter>
    isAsked: (row: AnyRow) => boolean
  },
): FirstRowsParts {
  return {
    changeCursor: async () => {
      const { fence } = world.snapshot()
      await tick()
      return world.bus.cursorBefore(seeing((xid) => fence.sees({ xid, commitLsn: toLsn(0n) }))) ?? ''
    },
    subscribe: (after): BusSubscription => world.bus.subscribe({ model: 'Thing', after, filter }),
    readPage: async (behind, take) => {
      await tick()
      const { rows, fence } = world.snapshot()
      await tick()
      const page = rows.filter(
        (row) => isAsked(row) && (behind === null || Number(row['id']) > Number(behind['id'])),
      )
      const asked = page.slice(0, take)
      // Some pages would take too much, and have their first rows only.
      const isCut = asked.length > 1 && pick(4) === 0
      return { rows: isCut ? asked.slice(0, -1) : asked, fence, bytes: asked.length, isCut }
    },
    keyOf: (row) => ({ id: row['id'] }),
    compareKeys: keyOrderOf(thing, catalogOf()),
    sizes: new PageSizes(1 + pick(6), () => 1_000),
    wait: tick,
    held: new HeldPages(1_000_000),
  }
}

it(`shows what a query would find, from READY on, at every boundary (${WORLDS} worlds)`, {
  timeout: 120_000,
}, async () => {
  for (let seed = 1; seed <= WORLDS; seed += 1) expect([seed, await runWorld(seed)]).toEqual([seed, []])
})

/**
 * One that conflates, and takes little at a time: what waits for it falls away where something later says it. In the end it has what a query
 * finds, and so has whoever goes on after READY.
 */
async function runConflatingWorld(seed: number, mutate: Mutate = (parts) => parts) {
  const pick = picker(seed)
  const world = new MvccWorld(thing, pick, QUEUE_LENGTH)
  const filter =
    pick(2) === 0 ? null : parseChangeFilter(thing, catalogOf(), { where: { group: { not: 0 } } })
  const isAsked = (row: AnyRow) => filter === null || row['group'] !== 0
  let steps = 0
  const tick = async () => {
    for (let count = pick(12); count > 0 && steps < STEPS; count -= 1, steps += 1) world.step()
    if (steps >= STEPS) world.settle()
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (let count = 0; count < 60; count += 1) world.step()
  const overflow = 'conflate'
  const parts = partsOf(world, pick, { tick, filter, isAsked })
  const subscribe = (after: string) => world.bus.subscribe({ model: 'Thing', after, filter, overflow })
  const rows = new FirstRows(mutate({ ...parts, subscribe }, world))
  const [fold, resumed] = [new Fold(), new Fold()]
  let ready: string | null = null
  for (;;) {
    for (let count = pick(3); count > 0; count -= 1) await tick()
    const next: { result: IteratorResult<FirstRowsEvent> | null } = { result: null }
    rows.next().then((result) => {
      next.result = result
    })
    for (let idle = 0; next.result === null && (steps < STEPS || idle < 40); idle += 1) await tick()
    if (next.result === null || next.result.done === true) break
    const { value } = next.result
    if (value.kind === 'read') fold.read(value)
    else if (value.kind === 'change') fold.apply(value.delivery.change, value.delivery.transition)
    else {
      ready = value.cursor
      for (const [id, row] of fold.rows) resumed.rows.set(id, row)
    }
  }
  await rows.return()
  const wanted = textOf(world.rowsAt(2n ** 60n).filter(isAsked))
  const later = world.bus.subscribe({ model: 'Thing', after: ready ?? '', filter })
  for (let idle = 0; idle < 20; idle += 1) {
    for (let next = later.pull?.take(); next !== undefined; next = later.pull?.take(), idle = 0)
      resumed.apply(next.change, next.transition)
    // More is read from the log once there is room.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const faults = [fold, resumed].flatMap((each, at) =>
    each.text() === wanted
      ? []
      : [`${at === 0 ? 'at the end' : 'after READY'}: has ${each.text()}, wants ${wanted}`],
  )
  return { faults, conflated: world.conflated }
}

it(`has what a query finds in the end, where changes are conflated (${WORLDS} worlds)`, {
  timeout: 120_000,
}, async () => {
  let conflated = 0
  for (let seed = 1; seed <= WORLDS; seed += 1) {
    const outcome = await runConflatingWorld(seed)
    expect([seed, outcome.faults]).toEqual([seed, []])
    conflated += outcome.conflated
  }
  expect(conflated).toBeGreaterThan(WORLDS)
})

const MUTANTS: Readonly<Record<string, Mutate>> = {
  'skips by position instead of by snapshot': (parts) => ({
    ...parts,
    readPage: async (...asked) => {
      const { fence, ...page } = await parts.readPage(...asked)
      return { ...page, fence: { ...fence, sees: ({ commitLsn }) => commitLsn < fence.endLsn } }
    },
  }),
  'does not wait until what was delivered is visible': (parts, { bus }) => ({
    ...parts,
    changeCursor: async () => bus.cursorBefore(SEES_ALL) ?? '',
  }),
  'skips nothing': (parts) => ({
    ...parts,
    readPage: async (...asked) => {
      const { fence, ...page } = await parts.readPage(...asked)
      return { ...page, fence: { ...fence, sees: () => false } }
    },
  }),
  'is ready before the stream has passed the fences': (parts) => ({
    ...parts,
    readPage: async (...asked) => {
      const { fence, ...page } = await parts.readPage(...asked)
      return { ...page, fence: { ...fence, endLsn: toLsn(1n) } }
    },
  }),
  'takes the last fence for all pages': (parts) => {
    let last = (_: { xid: number; commitLsn: bigint }) => false
    return {
      ...parts,
      readPage: async (...asked) => {
        const { fence, ...page } = await parts.readPage(...asked)
        last = (transaction) => fence.sees(transaction as never)
        return { ...page, fence: { ...fence, sees: (transaction) => last(transaction) } }
      },
    }
  },
  'takes every key for one of the first page': (parts) => ({ ...parts, compareKeys: () => -1 }),
}

it.each(Object.keys(MUTANTS))('finds the mutant that %s', { timeout: 120_000 }, async (name) => {
  for (let seed = 1; seed <= WORLDS; seed += 1) {
    const faults = await runWorld(seed, MUTANTS[name]).catch((error: unknown) => [String(error)])
    if (faults.length > 0) return
  }
  expect.fail(`No world of ${WORLDS} finds it.`)
})

it('ends as its subscription ends, without reading on', async () => {
  const world = new MvccWorld(thing, picker(1))
  for (let count = 0; count < 200; count += 1) world.step()
  world.settle()
  const tick = () => Promise.resolve()
  const parts = partsOf(world, picker(2), { tick, filter: null, isAsked: () => true })
  let pages = 0
  const rows = new FirstRows({
    ...parts,
    readPage: (...asked) => {
      pages += 1
      return parts.readPage(...asked)
    },
    sizes: new PageSizes(2, () => 1),
  })
  expect((await rows.next()).value).toMatchObject({ kind: 'read' })
  world.bus.gap(new RowcastError('RESYNC_REQUIRED', 'A gap.'))
  expect((await rows.next()).value).toMatchObject({ kind: 'read' })
  await expect(rows.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  expect(await rows.next()).toEqual({ done: true, value: undefined })
  expect(pages).toBe(1)
})

it.each(['abort', 'return'] as const)('ends at once by %s, whatever it waits for', async (how) => {
  const waits: Promise<never> = new Promise(() => {})
  for (const stuck of [{ changeCursor: () => waits }, { readPage: () => waits }, { wait: () => waits }]) {
    const world = new MvccWorld(thing, picker(1))
    const controller = new AbortController()
    const tick = () => Promise.resolve()
    const parts = partsOf(world, picker(2), { tick, filter: null, isAsked: () => true })
    const rows = new FirstRows({ ...parts, ...stuck, signal: controller.signal })
    const next = rows.next()
    await new Promise((resolve) => setImmediate(resolve))
    if (how === 'abort') controller.abort()
    else await rows.return()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await rows.next()).toEqual({ done: true, value: undefined })
  }
})

it('many of one signal add one listener to it, which goes with the last', async () => {
  const world = new MvccWorld(thing, picker(1))
  for (let count = 0; count < 50; count += 1) world.step()
  world.settle()
  const { signal } = new AbortController()
  const parts = partsOf(world, picker(2), {
    tick: () => Promise.resolve(),
    filter: null,
    isAsked: () => true,
  })
  const all = Array.from({ length: 20 }, () => new FirstRows({ ...parts, signal }))
  for (const rows of all) await rows.next()
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  for (const rows of all) await rows.return()
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})
