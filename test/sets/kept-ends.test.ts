/** A list that can never be shown again as it is ends, and says so: it does not stand still. */
import { expect, it } from 'vitest'
import { formatCursor } from '../../src/changes/cursor.ts'
import type { Fence } from '../../src/sets/fence.ts'
import type { KeptState } from '../../src/sets/kept-parts.ts'
import { KeptSet } from '../../src/sets/kept-set.ts'
import { UntakenPatches } from '../../src/sets/untaken-patches.ts'
import { cursorBehind } from '../../src/sets/visible-cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const PROMOTED = { ...PLAIN_ORIGIN, timeline: PLAIN_ORIGIN.timeline + 1 }
const lsnOf = (commit: number) => toLsn(BigInt(commit))

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
  const counters = { reads: 0, readMs: 0, snapshots: 0, patches: 0 }
  let commit = 10
  let nowMs = 0
  const take = () => {
    if (counters.reads === 0 || commit > 50) return undefined
    commit += 1
    return {
      change: {
        ...{ action: 'TRUNCATE', index: 0, cursor: formatCursor(PLAIN_ORIGIN, lsnOf(commit), 0) },
        transaction: { origin: PLAIN_ORIGIN, commitLsn: lsnOf(commit), xid: commit },
      },
      isLastOfTransaction: true,
    }
  }
  const fence = (): Fence => {
    const isUnsure = counters.reads < unsureReads
    return { sees: () => false, isUnsure: () => isUnsure, endLsn: lsnOf(5), text: '' }
  }
  const set = new KeptSet<number, number, KeptState<number>>({
    whenVisible: async () => undefined,
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
      empty: () => undefined,
      shown: () => commit,
      bytes: 0,
    },
    ...{
      isAskedAgain: false,
      isAnonymous: false,
      everyMs: 0,
      monotonicMs: () => (nowMs += 1_000),
      weigh: () => undefined,
    },
    // A turn of the loop: whoever waits for nothing else would keep all others from theirs.
    wait: () => new Promise<void>((resolve) => setImmediate(resolve)),
    turns: { isOver: false, wait: () => null },
    snapshotOf: (state) => state,
    patchOf: (_before, event) => ({ event, bytes: 1 }),
    ...{ untaken: new UntakenPatches(1_000_000), counters, onEnded: () => undefined },
  })
  return { subscription: set.subscribe(), counters }
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
