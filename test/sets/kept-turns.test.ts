/** What many changes cause in one list is done in turns, so that others come in between: however many lists there are. */
import { expect, it } from 'vitest'
import { cannotGoOn, leftTheLog, olderThanRetained } from '../../src/bus/resync-required.ts'
import { RowcastError } from '../../src/errors.ts'
import { KeptSet } from '../../src/sets/kept-set.ts'
import { ReadBudget } from '../../src/sets/read-budget.ts'
import { emptyingAt, keptParts } from '../support/kept-parts.ts'

const CHANGES = 100

/** A list whose every change is one more, and what it may spend of a turn. */
function open(
  turns: { readonly isOver: boolean; wait(): Promise<void> | null },
  weigh: (n: number) => void,
  { firstEnd = null, isLate = false }: { firstEnd?: Error | null; isLate?: boolean } = {},
) {
  let opened = 0
  let nowMs = 0
  const waiting = Array.from({ length: CHANGES }, (_, n) => emptyingAt(10 + n))
  let count = 0
  const parts = keptParts({
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
    view: {
      reset: () => undefined,
      apply: () => 'none',
      applyUnsure: () => 'none',
      empty() {
        count += 1
      },
      shown: () => count,
      get bytes() {
        return count
      },
    },
    ...{ monotonicMs: () => nowMs++, turns, weigh },
  })
  return new KeptSet(parts).subscribe()
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
  const budget = new ReadBudget(() => 0, 0)
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
