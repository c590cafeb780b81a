/** What many changes cause in one list is done in turns, so that others come in between: however many lists there are. */
import { expect, it } from 'vitest'
import { cannotGoOn, leftTheLog, olderThanRetained } from '../../src/bus/resync-required.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import type { KeptState } from '../../src/sets/kept-parts.ts'
import { KeptSet } from '../../src/sets/kept-set.ts'
import { ReadBudget } from '../../src/sets/read-budget.ts'
import { UntakenPatches } from '../../src/sets/untaken-patches.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const CHANGES = 100
const lsnOf = (commit: number) => toLsn(BigInt(commit))
const delivery = (commit: number) => ({
  change: {
    ...{ action: 'TRUNCATE', index: 0, cursor: formatCursor(PLAIN_ORIGIN, lsnOf(commit), 0) },
    transaction: { origin: PLAIN_ORIGIN, commitLsn: lsnOf(commit), xid: commit },
  },
  isLastOfTransaction: true,
})

/** A list whose every change is one more, and what it may spend of a turn. */
function open(
  turns: { readonly isOver: boolean; wait(): Promise<void> | null },
  weigh: (n: number) => void,
  { firstEnd = null, isLate = false }: { firstEnd?: Error | null; isLate?: boolean } = {},
) {
  let opened = 0
  let nowMs = 0
  const waiting = Array.from({ length: CHANGES }, (_, n) => delivery(10 + n))
  let count = 0
  const set = new KeptSet<number, number, KeptState<number>>({
    whenVisible: async () => undefined,
    changeCursor: async () => formatCursor(PLAIN_ORIGIN, lsnOf(1), 0),
    subscribe: () => {
      opened += 1
      const isEnded = firstEnd !== null && opened === 1
      let taken = 0
      const take = () => {
        if (isEnded || (isLate && taken === 1)) return undefined
        taken += 1
        return waiting.shift()
      }
      const pull = {
        ...{ take, reader: null as { onReadable(): void } | null, bookmark: () => null },
        get isEnded() {
          // The rest comes in the microtask behind the question, and is said once.
          if (isLate && taken === 1)
            queueMicrotask(() => {
              taken = 2
              pull.reader?.onReadable()
              pull.reader = null
            })
          return isEnded
        },
      }
      return [
        {
          subscription: {
            pull,
            next: async () => {
              throw firstEnd
            },
            return: async () => ({ done: true, value: undefined }),
          } as never,
          relations: [],
        },
      ]
    },
    read: async () => ({
      ...{ loaded: 0, tookMs: 0, bytes: 0 },
      fence: { sees: () => false, endLsn: lsnOf(5), text: '' },
    }),
    view: {
      reset: () => undefined,
      apply: () => 'none',
      empty() {
        count += 1
      },
      shown: () => count,
      get bytes() {
        return count
      },
    },
    ...{
      isAskedAgain: false,
      isAnonymous: false,
      everyMs: 0,
      monotonicMs: () => nowMs++,
      wait: async () => undefined,
      turns,
      weigh,
    },
    snapshotOf: (state) => state,
    patchOf: (_before, event) => ({ event, bytes: 1 }),
    untaken: new UntakenPatches(1_000_000),
    counters: { reads: 0, readMs: 0, snapshots: 0, patches: 0 },
    onEnded: () => undefined,
  })
  return set.subscribe()
}

it('no change is followed where the turn is over', async () => {
  let turns = 0
  const followed = open(
    {
      isOver: true,
      wait() {
        turns += 1
        return null
      },
    },
    () => undefined,
  )
  let shown = 0
  while (shown < CHANGES) shown = (await followed.next()).value.shown
  expect(turns).toBeGreaterThan(CHANGES)
  await followed.return()
})

it('what is kept counts as it becomes, and ends the list where that is too much', async () => {
  const followed = open({ isOver: false, wait: () => null }, (bytes) => {
    if (bytes > 50) throw new Error('LIST_TOO_COSTLY')
  })
  const until = async () => {
    for (;;) if ((await followed.next()).value.shown > 60) return
  }
  await expect(until()).rejects.toThrow('LIST_TOO_COSTLY')
})

it.each([
  [leftTheLog(), 'goes on'],
  [new RowcastError('SUBSCRIBER_TOO_SLOW', 'Too much waits.'), 'goes on'],
  [olderThanRetained(), 'goes on'],
  [cannotGoOn('another server has taken over'), 'ends'],
])(
  'that changes came faster than it took them, ends no list: it is read again (%s)',
  async (error, outcome) => {
    const followed = open({ isOver: false, wait: () => null }, () => undefined, { firstEnd: error })
    const until = async () => {
      for (let shown = 0; shown < CHANGES; ) shown = (await followed.next()).value.shown
      return 'goes on'
    }
    expect(await until().catch((thrown) => (thrown === error ? 'ends' : thrown))).toBe(outcome)
    await followed.return()
  },
)

it('what comes right behind the question whether it is over is not missed', { timeout: 5_000 }, async () => {
  const followed = open({ isOver: false, wait: () => null }, () => undefined, { isLate: true })
  for (let shown = 0; shown < CHANGES; ) shown = (await followed.next()).value.shown
  await followed.return()
})

it('a log that is shorter than each read takes ends it, and is not read for ever', () => {
  const budget = new ReadBudget(() => 0, { intervalMs: 0, hurriedMs: 0 })
  const loseAll = () => {
    for (let n = 0; n < 100; n += 1) budget.noteLost()
  }
  const loseSome = () => {
    for (let n = 0; n < 100; n += 1) {
      budget.noteLost()
      budget.noteSettled(true)
    }
  }
  expect(loseSome).not.toThrow()
  expect(loseAll).toThrow(expect.objectContaining({ code: 'LIST_TOO_COSTLY' }))
})
