/** Whose first rows are those of others, and who waits until that is known. */
import { expect, it } from 'vitest'
import type { History } from '../../src/bus/history.ts'
import { endBefore, endCursorBefore } from '../../src/changes/cursor.ts'
import { SharedBeginnings } from '../../src/sets/shared-beginnings.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const lsnOf = (commit: number) => toLsn(BigInt(commit))

/** A log that the test moves; `waits` counts how often somebody had to wait for it. */
function world() {
  const state = { nowMs: 0, newest: 10, written: 1, waits: 0, stamp: 'as made' as string | null }
  const history = {
    get log() {
      return { openLsn: null, newest: endBefore(lsnOf(state.newest)) }
    },
    lastOf: () => endBefore(lsnOf(state.written)),
  } as unknown as History
  const beginnings = new SharedBeginnings({
    history: () => history,
    now: () => state.nowMs,
    wait: async () => {
      state.waits += 1
      state.newest += 1
    },
  })
  const sinceOf = (at: number, since: number, endLsn = at, losses = beginnings.losses) => {
    const own = { cursor: endCursorBefore(PLAIN_ORIGIN, lsnOf(at)), endLsn: lsnOf(endLsn), losses }
    return beginnings.sinceOf('Post', { ...own, stamp: state.stamp }, since)
  }
  return { state, sinceOf, beginnings }
}

it('is that of others while nothing of the model has been written', async () => {
  const { state, sinceOf } = world()
  expect(await sinceOf(5, 1)).toBe(1)
  expect(await sinceOf(8, 2)).toBe(1)
  state.written = 9
  expect(await sinceOf(10, 3)).toBe(3)
})

it('waits for the stream where that may say that something was written', async () => {
  const { state, sinceOf } = world()
  await sinceOf(5, 1)
  expect(await sinceOf(9, 2, 13)).toBe(1)
  expect(state.waits).toBe(3)
})

it('waits for nothing where nobody has rows that are as good', async () => {
  const { state, sinceOf } = world()
  await sinceOf(5, 1)
  state.written = 7
  expect(await sinceOf(8, 2, 1_000)).toBe(2)
  state.nowMs = 60_000
  expect(await sinceOf(9, 3, 1_000)).toBe(3)
  expect(state.waits).toBe(0)
})

it.each(['Post', null])('is that of nobody any more where changes of %s may be missing', async (model) => {
  const { sinceOf, beginnings } = world()
  await sinceOf(5, 1)
  beginnings.onLost('Tag')
  expect(await sinceOf(6, 2)).toBe(1)
  beginnings.onLost(model)
  expect(await sinceOf(7, 3)).toBe(3)
})

it('is that of nobody who asked before changes may have gone missing, whoever comes next', async () => {
  const { sinceOf, beginnings } = world()
  const { losses } = beginnings
  beginnings.onLost('Post')
  expect(await sinceOf(5, 1, 5, losses)).toBe(1)
  expect(await sinceOf(6, 2)).toBe(2)
  const waiting = sinceOf(7, 3, 13)
  beginnings.onLost(null)
  expect(await waiting).toBe(3)
  expect(await sinceOf(14, 4)).toBe(4)
})

it('is that of nobody any more where the table is another one, or what is written to it does not come', async () => {
  const { state, sinceOf } = world()
  await sinceOf(5, 1)
  state.stamp = 'altered'
  expect(await sinceOf(6, 2)).toBe(2)
  expect(await sinceOf(7, 3)).toBe(2)
  state.stamp = null
  expect(await sinceOf(8, 4)).toBe(4)
  expect(await sinceOf(8, 5)).toBe(5)
  state.stamp = 'altered'
  expect(await sinceOf(9, 6)).toBe(6)
})
