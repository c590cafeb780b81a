/** A list that can never be shown again as it is ends, and says so: it does not stand still. */
import { expect, it } from 'vitest'
import { formatCursor } from '../../src/changes/cursor.ts'
import type { Fence } from '../../src/sets/fence.ts'
import { KeptSet } from '../../src/sets/kept-set.ts'
import { cursorBehind } from '../../src/sets/visible-cursor.ts'
import { emptyingAt, keptParts, lsnOf } from '../support/kept-parts.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const PROMOTED = { ...PLAIN_ORIGIN, timeline: PLAIN_ORIGIN.timeline + 1 }

it.each([
  ['ahead of what came', 20, 'goes on'],
  ['behind what came', 5, 'another server has taken over'],
])('a promoted server that is %s', async (_name, commit, outcome) => {
  const changeCursor = async () => formatCursor(PROMOTED, lsnOf(commit), 0)
  let waits = 0
  const ending = new AbortController()
  const wait = async () => {
    waits += 1
    if (waits > 100) ending.abort()
  }
  const position = { commitLsn: lsnOf(10), index: 0, origin: PLAIN_ORIGIN }
  const behind = cursorBehind({ changeCursor, wait }, position, ending.signal)
  expect(await behind.then(() => 'goes on').catch(String)).toContain(outcome)
  expect(waits).toBe(0)
})

/** Reads of a standby so many of the first of which cannot say whether they have the transaction that comes. */
function openAtStandby(unsureReads: number) {
  const counters = { reads: 0, readMs: 0, snapshots: 0, patches: 0, shownLateMs: 0 }
  let commit = 10
  let nowMs = 0
  const take = () => {
    if (counters.reads === 0 || commit > 50) return undefined
    commit += 1
    return emptyingAt(commit)
  }
  const fence = (): Fence => {
    const isUnsure = counters.reads < unsureReads
    return { sees: () => false, isUnsure: () => isUnsure, endLsn: lsnOf(5), text: '' }
  }
  const parts = keptParts({
    changeCursor: async () => formatCursor(PLAIN_ORIGIN, lsnOf(90), 0),
    subscribe: () => [
      {
        subscription: {
          pull: { take, isEnded: false, reader: null, bookmark: () => null, onReadable: () => undefined },
          return: async () => ({ done: true, value: undefined }),
        } as never,
        relations: [],
      },
    ],
    async read() {
      if (counters.reads > 50) throw new Error('It is read for ever.')
      return { loaded: 0, tookMs: 0, bytes: 0, fence: fence() }
    },
    view: {
      reset: () => undefined,
      apply: () => 'none',
      applyUnsure: () => 'none',
      empty: () => undefined,
      shown: () => commit,
      bytes: 0,
    },
    monotonicMs: () => (nowMs += 1_000),
    // A turn of the loop: whoever waits for nothing else would keep all others from theirs.
    wait: () => new Promise<void>((resolve) => setImmediate(resolve)),
    counters,
  })
  return { subscription: new KeptSet(parts).subscribe(), counters }
}

it('a standby that can say it at last shows the list', async () => {
  const { subscription } = openAtStandby(7)
  expect((await subscription.next()).value.shown).toBeGreaterThan(10)
  await subscription.return()
})

it('a standby that can never say what it has shown ends the list', async () => {
  const { subscription, counters } = openAtStandby(1_000)
  await expect(subscription.next()).rejects.toThrow('the standby cannot say what it has shown')
  expect(counters.reads).toBe(8)
})
