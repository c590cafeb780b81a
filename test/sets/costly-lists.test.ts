/** A list that costs too much ends with a typed error, and none for what others cost; opened again it goes on with what it has used. */
import { describe, expect, it, vi } from 'vitest'
import type { DeliveryPull } from '../../src/bus/bus.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { KeptSet } from '../../src/sets/kept-set.ts'
import { type KeptSetHome, KeptSets } from '../../src/sets/kept-sets.ts'
import { resolveListBounds } from '../../src/sets/list-bounds.ts'
import type { ReadBudget } from '../../src/sets/read-budget.ts'
import { ReadBudgets } from '../../src/sets/read-budgets.ts'
import type { Lsn } from '../../src/wire/lsn.ts'
import { emptyingAt, keptParts, lsnOf } from '../support/kept-parts.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

/** All lists of a process whose clock the test turns. */
function openLists() {
  const clock = { nowMs: 0 }
  const sets = new KeptSets(1_000, () => clock.nowMs)
  const open = (key: string | null = 'a') => {
    let opened: KeptSetHome | null = null
    sets.join(key, { account: null, filterCost: 0, everyMs: 0 }, (home) => {
      opened = home
      return { isEnded: false, subscribers: 1, subscribe: () => ({ whenLeft: () => undefined }) } as never
    })
    return opened as unknown as KeptSetHome
  }
  return { clock, open }
}

const errorOf = (act: () => unknown): RowcastError => {
  try {
    act()
  } catch (error) {
    if (error instanceof RowcastError) return error
    throw error
  }
  throw new Error('It was not refused.')
}

const SLOW_MS = 5_000

describe('a list that is opened again', () => {
  it('waits where it was refused, longer each time, and is read once where it is still as slow', () => {
    const { clock, open } = openLists()
    const pauses: unknown[] = []
    for (const reads of [4, 1, 1]) {
      const home = open()
      for (let read = 1; read < reads; read += 1) home.budget.note(SLOW_MS)
      const refused = errorOf(() => home.budget.note(SLOW_MS))
      home.onEnded()
      expect(refused.code).toBe('LIST_TOO_COSTLY')
      const pauseMs = Number(refused.details['retryAfterMs'])
      clock.nowMs += pauseMs - 1
      expect(errorOf(() => open()).details).toEqual({ retryAfterMs: 1 })
      expect(open(`another ${reads} ${pauseMs}`).budget.refusedForMs).toBe(0)
      clock.nowMs += 1
      pauses.push(pauseMs)
    }
    expect(pauses).toEqual([5_000, 10_000, 20_000])
    const home = open()
    home.budget.note(10)
    for (let read = 1; read < 4; read += 1) home.budget.note(SLOW_MS)
    expect(() => home.budget.note(SLOW_MS)).toThrow('LIST_TOO_COSTLY')
  })

  it('is not read more often than one that stays open', () => {
    const { clock, open } = openLists()
    const first = open()
    first.budget.note(1_000)
    first.onEnded()
    expect(open().budget.hurriedDueInMs).toBe(2_000)
    clock.nowMs += 500
    expect(open('another').budget.hurriedDueInMs).toBeLessThanOrEqual(0)
  })

  it('waits where its rows were too large, and not where there was no room beside others', () => {
    const { open } = openLists()
    const others = ['b', 'c', 'd', 'e'].map((key) => open(key))
    for (const other of others) other.weigh(250)
    const crowded = open('crowded')
    expect(() => crowded.weigh(1)).toThrow('LIST_TOO_COSTLY')
    crowded.onEnded()
    expect(open('crowded').budget.refusedForMs).toBe(0)
    const large = open('large')
    expect(() => large.weigh(251)).toThrow('LIST_TOO_COSTLY')
    large.onEnded()
    expect(() => open('large')).toThrow('LIST_TOO_COSTLY')
  })
})

describe('what is remembered of lists that have ended', () => {
  const used = (budget: ReadBudget) => {
    budget.note(10)
    return budget
  }

  it('is no longer known once it says nothing more', () => {
    const clock = { nowMs: 0 }
    const budgets = new ReadBudgets(() => clock.nowMs)
    const slow = budgets.open('slow', 0)
    slow.note(SLOW_MS)
    budgets.end('slow', slow)
    expect(budgets.open('slow', 0)).toBe(slow)
    clock.nowMs += 60_000
    budgets.end('another', used(budgets.open('another', 0)))
    expect(budgets.open('slow', 0)).toBe(slow)
    clock.nowMs += 600_000
    budgets.end('another', used(budgets.open('another', 0)))
    expect(budgets.open('slow', 0)).not.toBe(slow)
  })

  it('is not the whole of what was asked for', () => {
    const names = vi.spyOn(Map.prototype, 'set')
    const budgets = new ReadBudgets(() => 0)
    budgets.end('a'.repeat(80_000), used(budgets.open('a'.repeat(80_000), 0)))
    const lengths = names.mock.calls.map(([name]) => (typeof name === 'string' ? name.length : 0))
    names.mockRestore()
    expect(Math.max(...lengths)).toBe(44)
  })

  it('is not pushed out by what others open, where it is refused', () => {
    const budgets = new ReadBudgets(() => 0)
    const refused = budgets.open('refused', 0)
    refused.refused('It is too slow.')
    budgets.end('refused', refused)
    for (let count = 0; count < 1_500; count += 1) budgets.end(`${count}`, used(budgets.open(`${count}`, 0)))
    expect(() => budgets.open('refused', 0)).toThrow('LIST_TOO_COSTLY')
  })
})

/**
 * A list that only the database knows, whose reads take so long once they begin, behind the reads of others; a change is committed while
 * each of the first ones is made.
 */
function openLate(tookMs: number, commits: number, behindMs = 0) {
  const clock = { nowMs: 0 }
  const waiting: number[] = []
  let [committed, reads] = [10, 0]
  const pull = {
    ...{ isEnded: false, reader: null },
    bookmark: () => (waiting.length > 0 ? null : formatCursor(PLAIN_ORIGIN, lsnOf(committed), 0)),
    take: () => {
      const next = waiting.shift()
      return next === undefined ? undefined : emptyingAt(next)
    },
  }
  const subscription = { pull, return: async () => ({ done: true, value: undefined }) } as never
  const counters = { reads: 0, readMs: 0, snapshots: 0, patches: 0, shownLateMs: 0 }
  const set = new KeptSet(
    keptParts({
      changeCursor: async () => formatCursor(PLAIN_ORIGIN, lsnOf(committed), 0),
      subscribe: () => [{ subscription, relations: [] }],
      view: {
        reset: () => undefined,
        apply: () => 'none',
        applyUnsure: () => 'none',
        empty: () => undefined,
        shown: () => reads,
        bytes: 0,
      },
      async read() {
        clock.nowMs += behindMs
        const seen = lsnOf(committed)
        reads += 1
        if (reads <= commits) {
          committed += 1
          waiting.push(committed)
        }
        clock.nowMs += tookMs
        const sees = ({ commitLsn }: { commitLsn: Lsn }) => commitLsn <= seen
        return { loaded: 0, tookMs, bytes: 0, fence: { sees, endLsn: seen, text: '' } }
      },
      async wait(ms: number) {
        clock.nowMs += ms
        await new Promise<void>((resolve) => setImmediate(resolve))
      },
      ...{ isAskedAgain: true, monotonicMs: () => clock.nowMs, counters },
    }),
  )
  return { set, subscription: set.subscribe(), counters }
}

describe('a list that only the database knows', () => {
  it('is as late as its changes have waited, and no later once it shows them', async () => {
    const { set, subscription, counters } = openLate(1_000, 1)
    expect((await subscription.next()).value.shown).toBe(1)
    expect(set.lateMs).toBeGreaterThan(0)
    expect((await subscription.next()).value.shown).toBe(2)
    expect(set.lateMs).toBe(0)
    // It came as the first read began; a second one waits twice as long as that took.
    expect(counters.shownLateMs).toBe(1_000 + 2_000 + 1_000)
    await subscription.return()
  })

  it('is not late by what its read waited for others, of what came once that had begun', async () => {
    const { subscription, counters } = openLate(1_000, 1, 5_000)
    await subscription.next()
    await subscription.next()
    expect(counters.shownLateMs).toBe(1_000 + 2_000 + 5_000 + 1_000)
    await subscription.return()
  })

  it('goes on, however late it is', async () => {
    const { subscription } = openLate(3_900, 100)
    for (let count = 0; count < 50; count += 1) await subscription.next()
    await subscription.return()
  })
})

/** A list whose stream and database do what the test says. */
function openWaiting(isAskedAgain: boolean) {
  const clock = { nowMs: 0 }
  const waiting: ReturnType<typeof emptyingAt>[] = []
  const pull: DeliveryPull = {
    ...{ isEnded: false, reader: null },
    bookmark: () =>
      stream.bookmark === null || waiting.length > 0
        ? null
        : formatCursor(PLAIN_ORIGIN, lsnOf(stream.bookmark), 0),
    take: () => waiting.shift() as never,
  }
  const stream: { bookmark: number | null } = { bookmark: 10 }
  const database = { sees: (commit: number) => commit <= 10, endsAt: 10 }
  let shown = 0
  const subscription = { pull, return: async () => ({ done: true, value: undefined }) } as never
  const set = new KeptSet(
    keptParts({
      changeCursor: async () => formatCursor(PLAIN_ORIGIN, lsnOf(stream.bookmark ?? 11), 0),
      subscribe: () => [{ subscription, relations: [] }],
      view: {
        reset: () => (shown += 1),
        apply: () => 'none',
        applyUnsure: () => 'none',
        empty: () => (shown += 1),
        shown: () => shown,
        bytes: 0,
      },
      async read() {
        const { sees, endsAt } = database
        const fence = {
          sees: ({ commitLsn }: { commitLsn: Lsn }) => sees(Number(commitLsn)),
          endLsn: lsnOf(endsAt),
          text: '',
        }
        return { loaded: 0, tookMs: 1, bytes: 0, fence }
      },
      async wait(ms: number) {
        clock.nowMs += ms
        await tick()
      },
      ...{ isAskedAgain, monotonicMs: () => clock.nowMs },
    }),
  )
  const push = async (...deliveries: ReturnType<typeof emptyingAt>[]) => {
    waiting.push(...deliveries)
    pull.reader?.onReadable()
    for (let turn = 0; turn < 200; turn += 1) await tick()
  }
  return { set, subscription: set.subscribe(), clock, push, stream, database }
}

const tick = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('a list that waits for others', () => {
  it('goes on where a transaction takes minutes to come, and shows it whole', async () => {
    const { set, subscription, clock, push } = openWaiting(false)
    expect((await subscription.next()).value.shown).toBe(1)
    const patch = subscription.next()
    for (let part = 0; part < 30; part += 1) {
      await push({ ...emptyingAt(20), isLastOfTransaction: false })
      clock.nowMs += 10_000
    }
    expect(set.lateMs).toBe(300_000)
    await push(emptyingAt(20))
    expect((await patch).value.shown).toBe(1 + 31)
    expect(set.lateMs).toBe(0)
    await subscription.return()
  })

  it('goes on where the stream was away behind a read, and comes back with what that lacks', async () => {
    const { set, subscription, clock, push, stream, database } = openWaiting(true)
    await subscription.next()
    const patch = subscription.next()
    Object.assign(database, { sees: (commit: number) => commit === 13, endsAt: 14 })
    stream.bookmark = null
    await push(emptyingAt(11))
    clock.nowMs += 300_000
    await push()
    Object.assign(database, { sees: (commit: number) => commit <= 20, endsAt: 20 })
    await push(emptyingAt(12), emptyingAt(13))
    stream.bookmark = 20
    await push()
    expect((await patch).value.shown).toBe(3)
    expect(set.lateMs).toBe(0)
    await subscription.return()
  })
})

describe('how often lists are shown', () => {
  const every = (lists: object, asked?: number) => resolveListBounds({ lists }).everyOf(asked)

  it('is what the subscription says, else what the config says, and never more often than that allows', () => {
    expect([every({}), every({}, 70), every({ everyMs: 500 }), every({ everyMs: 500 }, 0)]).toEqual([
      0, 70, 500, 0,
    ])
    expect([0, 100, 300].map((asked) => every({ everyMs: 20, everyMinMs: 100 }, asked))).toEqual([
      100, 100, 300,
    ])
    expect(every({ everyMinMs: 100 })).toBe(100)
  })

  it.each([{ everyMs: -1 }, { everyMs: 60_001 }, { everyMinMs: 1.5 }, { every: 5 }])(
    'refuses %o',
    (lists) => {
      expect(() => resolveListBounds({ lists })).toThrow('CONFIG_BAD_FIELD')
    },
  )
})
