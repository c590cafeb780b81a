/** Rows that somebody's right to be there hangs on: what happens between the read and the watch, and where changes are missing. */

import { expect, test, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { AnyChange, AnyRow, TransactionPart } from '../../src/changes/change.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { RowWatch } from '../../src/sets/row-watch.ts'
import { StreamWatchers } from '../../src/sets/stream-watchers.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { seeing } from '../support/seeing.ts'

const model = catalog.models.Tag
const WHERE = { id: 1, name: 'good' }
const GOOD = { id: 1, name: 'good' }

function createWatch() {
  const state = {
    rows: [GOOD] as AnyRow[],
    isBlind: false,
    invisible: 0,
    onRead: () => {},
    fails: false,
    tick: () => {},
  }
  const watch = new RowWatch({
    ...{ model, guard: createGuard(silentLogger), isBlind: () => state.isBlind },
    async read() {
      const { rows } = state
      if (state.fails) throw new Error('no database')
      state.onRead()
      return rows
    },
    look: () => Promise.resolve(seeing((xid) => xid !== state.invisible)),
    wait: () => new Promise((resolve) => setImmediate(resolve)),
    every(_, call) {
      state.tick = call
      return () => {
        state.tick = () => {}
      }
    },
  })
  const wanted = { where: WHERE, test: compileCondition(parseWhere(model, catalog, WHERE)) }
  return { state, watch, wanted }
}

const NO_IMAGES = { old: null, new: null, key: null, oldKey: null }

function part(...changes: Partial<AnyChange>[]): TransactionPart {
  const all = changes.map((each) => ({ model: 'Tag', ...NO_IMAGES, ...each }) as AnyChange)
  return {
    changes: all,
    isFinal: true,
    byteLength: 0,
    transaction: Object({ xid: 7, commitLsn: toLsn(70n) }),
  }
}

const DELETED = part({ action: 'DELETE', key: { id: 1 } })
const RENAMED = part({ action: 'UPDATE', key: { id: 1 }, new: { id: 1, name: 'bad' } })
const TOUCHED = part({ action: 'UPDATE', key: { id: 1 }, new: GOOD })
const OTHER = part({ action: 'DELETE', key: { id: 2 } }, { action: 'DELETE', model: 'User', key: { id: 1 } })
const MOVED = part({ action: 'UPDATE', key: { id: 2 }, oldKey: { id: 1 }, new: { id: 2, name: 'good' } })
const EMPTIED = part({ action: 'TRUNCATE' })
const ENDS = { DELETED, RENAMED, MOVED, EMPTIED }
const settled = () => new Promise((resolve) => setImmediate(resolve))

test.each(Object.entries(ENDS))('%s while the row is read: it is not there', async (name, end) => {
  const { state, watch, wanted } = createWatch()
  state.onRead = () => {
    // The read saw the row as it was before.
    watch.onPart(OTHER)
    watch.onPart(end)
    if (name === 'EMPTIED') state.rows = []
    state.onRead = () => {}
  }
  expect(await watch.find(wanted)).toBe(null)
})

test.each(Object.entries(ENDS))(
  '%s between the read and the watch: it ends, and not at once',
  async (name, end) => {
    const { state, watch, wanted } = createWatch()
    const found = await watch.find(wanted)
    if (found === null || typeof found === 'string') throw new Error('It is there.')
    watch.onPart(TOUCHED)
    watch.onPart(end)
    if (name === 'EMPTIED') state.rows = []
    const onGone = vi.fn()
    watch.watch(found, onGone)
    expect(onGone).not.toHaveBeenCalled()
    await expect.poll(() => onGone.mock.calls).toEqual([['gone']])
    expect(watch.size).toBe(0)
  },
)

test.each(Object.entries(ENDS))('%s ends who watches within the same call', async (_, end) => {
  const { watch, wanted } = createWatch()
  const found = await watch.find(wanted)
  if (found === null || typeof found === 'string') throw new Error('It is there.')
  const [onGone, left, throwing] = [
    vi.fn(),
    vi.fn(),
    vi.fn(() => {
      throw new Error('of a listener')
    }),
  ]
  watch.watch(found, throwing)
  watch.watch(found, left)()
  watch.watch(found, onGone)
  watch.onPart(TOUCHED)
  watch.onPart(OTHER)
  expect(onGone).not.toHaveBeenCalled()
  watch.onPart(end)
  watch.onPart(end)
  expect([onGone, left, throwing].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 1])
})

test('where changes may be missing, all rows are looked for again', async () => {
  const { state, watch, wanted } = createWatch()
  const found = await watch.find(wanted)
  if (found === null || typeof found === 'string') throw new Error('It is there.')
  const onGone = vi.fn()
  watch.watch(found, onGone)
  watch.onLost()
  for (let turn = 0; turn < 5; turn += 1) await settled()
  expect(onGone).not.toHaveBeenCalled()
  // Found before the gap, watched after it.
  state.rows = []
  const late = vi.fn()
  watch.watch(found, late)
  await expect.poll(() => late.mock.calls).toEqual([['gone']])
  await expect.poll(() => onGone.mock.calls).toEqual([['gone']])
})

test('while changes do not come, the database is asked again and again; where it does not answer, all end', async () => {
  const { state, watch, wanted } = createWatch()
  const [first, second] = [await watch.find(wanted), await watch.find(wanted)]
  if (first === null || typeof first === 'string') throw new Error('It is there.')
  const [onGone, unchecked] = [vi.fn(), vi.fn()]
  state.isBlind = true
  watch.watch(first, onGone)
  for (let turn = 0; turn < 5; turn += 1) await settled()
  state.rows = [{ id: 1, name: 'bad' }]
  await expect.poll(() => onGone.mock.calls).toEqual([['gone']])
  state.rows = [GOOD]
  state.fails = true
  watch.watch(second as typeof first, unchecked)
  await expect.poll(() => unchecked.mock.calls).toEqual([['unchecked']])
})

test('a row is read once queries see what has come', async () => {
  const { state, watch, wanted } = createWatch()
  watch.onPart(DELETED)
  state.invisible = 7
  // As long as a query does not see that it is gone, it finds it.
  const found = watch.find(wanted)
  for (let turn = 0; turn < 5; turn += 1) await settled()
  state.invisible = 0
  state.rows = []
  expect(await found).toBe(null)
})

test('what has come and cannot be seen yet is waited for behind a gap as well', async () => {
  const { state, watch, wanted } = createWatch()
  watch.onPart(DELETED)
  state.invisible = 7
  watch.onLost()
  const found = watch.find(wanted)
  for (let turn = 0; turn < 5; turn += 1) await settled()
  state.invisible = 0
  state.rows = []
  expect(await found).toBe(null)
})

test('what came of a server that is read no more is waited for no more', async () => {
  const { state, watch, wanted } = createWatch()
  watch.onPart(TOUCHED)
  state.invisible = 7
  watch.onLost()
  watch.onRewound(toLsn(71n))
  const waiting = watch.find(wanted)
  for (let turn = 0; turn < 5; turn += 1) await settled()
  watch.onRewound(toLsn(70n))
  const found = watch.find(wanted)
  expect(await found).toMatchObject({ key: { id: 1 } })
  expect(await waiting).toMatchObject({ key: { id: 1 } })
})

test('what can never be seen is not waited for without an end', async () => {
  const { state, watch, wanted } = createWatch()
  watch.onPart(TOUCHED)
  state.invisible = 7
  expect(await watch.find(wanted)).toBe('restless')
})

test.each([
  ['the same server behind a gap', { lost: true, timeline: 1, lsn: 60n }, [[60n]]],
  ['the same server', { lost: false, timeline: 1, lsn: 60n }, []],
  ['another one', { lost: false, timeline: 2, lsn: 60n }, [[0n]]],
])('what a server does not have when its stream begins: of %s', (_, { lost, timeline, lsn }, rewound) => {
  const watchers = new StreamWatchers(createGuard(silentLogger))
  const onRewound = vi.fn()
  watchers.add({ onPart() {}, onLost() {}, onRewound })
  watchers.onLost(null)
  watchers.onOpened({ systemId: '1', timeline: 1, serverLsn: toLsn(50n) })
  if (lost) watchers.onLost(null)
  watchers.onOpened({ systemId: '1', timeline, serverLsn: toLsn(lsn) })
  expect(onRewound.mock.calls).toEqual(rewound)
})

test('a row that is not said, or that changes without end, is not found', async () => {
  const { state, watch, wanted } = createWatch()
  state.rows = [GOOD, { id: 2, name: 'good' }]
  expect(await watch.find(wanted)).toBe('several')
  state.rows = [GOOD]
  state.onRead = () => watch.onLost()
  expect(await watch.find(wanted)).toBe('restless')
  state.rows = []
  expect(await watch.find(wanted)).toBe(null)
})

async function watchGood() {
  const { state, watch, wanted } = createWatch()
  const found = await watch.find(wanted)
  if (found === null || typeof found === 'string') throw new Error('It is there.')
  const onGone = vi.fn()
  return { state, watch, onGone, leave: watch.watch(found, onGone) }
}

test('a stream that ends later is noticed, and what was missed until it comes again as well', async () => {
  const { state, onGone, leave } = await watchGood()
  state.rows = []
  state.tick()
  for (let turn = 0; turn < 5; turn += 1) await settled()
  expect(onGone).not.toHaveBeenCalled()
  state.rows = [GOOD]
  state.isBlind = true
  state.onRead = () => {
    // It comes again while the row is read, which is deleted behind the read.
    state.onRead = () => {}
    state.isBlind = false
    queueMicrotask(() => {
      state.rows = []
    })
  }
  state.tick()
  await expect.poll(() => onGone.mock.calls).toEqual([['gone']])
  leave()
})

test('what commits before the stream begins, and is visible later, is found by the looks after', async () => {
  const { state, watch, onGone } = await watchGood()
  state.onRead = () => {
    state.onRead = () => {}
    queueMicrotask(() => {
      state.rows = []
    })
  }
  watch.onLost()
  await expect.poll(() => onGone.mock.calls).toEqual([['gone']])
})

test('who has left is looked for no more', async () => {
  const { state, watch, leave } = await watchGood()
  state.isBlind = true
  state.tick()
  leave()
  for (let turn = 0; turn < 5; turn += 1) await settled()
  const onRead = vi.fn()
  state.onRead = onRead
  state.tick()
  for (let turn = 0; turn < 5; turn += 1) await settled()
  expect([onRead.mock.calls.length, watch.size]).toEqual([0, 0])
})
