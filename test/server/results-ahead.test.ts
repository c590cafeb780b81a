/** How many results are begun before those in front of them are there, and how long others wait meanwhile. */
import { expect, it } from 'vitest'
import type { DeliveryPull } from '../../src/bus/bus.ts'
import type { DeliveryResult } from '../../src/server/delivery/result-text.ts'
import { ResultsAhead } from '../../src/server/delivery/results-ahead.ts'
import { ResultsOnTheirWay } from '../../src/server/delivery/results-on-their-way.ts'
import { changesOf } from '../../src/server/delivery/shared-event.ts'

/** A source that always has more. */
function endless(next: () => unknown = () => 'change'): DeliveryPull<unknown> {
  return { reader: null, isEnded: false, take: next }
}

/** One that has a part of a transaction, of so many changes, each time. */
const parts = (changes: number) => endless(() => ({ deliveries: Array.from({ length: changes }) }))

/** What waits for time that passes. */
const timers = { nowMs: 0, later: [] as (() => void)[] }

/** All of a server. @param nowMs @default those of `timers` */
function openAll(nowMs: () => number = () => timers.nowMs): ResultsOnTheirWay {
  timers.nowMs = 0
  timers.later = []
  return new ResultsOnTheirWay({
    turns: { wait: () => null },
    timers: { nowMs, soon: setImmediate, later: (run) => void timers.later.push(run) },
  })
}

/** A subscription whose results take their time; how many it has begun. @param costMs what beginning one takes */
function open(all: ResultsOnTheirWay, spend: () => void = () => undefined, first: unknown = 'first') {
  const begun: ((result: DeliveryResult) => void)[] = []
  const ahead = new ResultsAhead({
    all,
    resultOf: (delivery) =>
      all.make({ changes: changesOf(delivery) }, () => {
        spend()
        return new Promise<DeliveryResult>((resolve) => begun.push(resolve))
      }),
    onFirst: () => undefined,
    onFailure: () => undefined,
  })
  ahead.add(first)
  return { ahead, begun }
}

it('others have their turn between results that take long to begin', () => {
  let nowMs = 0
  const all = openAll(() => nowMs)
  const source = endless()
  // What one has is read together.
  expect(open(all).ahead.fill(source)).toBe(true)
  const { ahead, begun } = open(all, () => {
    nowMs += 1.3
  })
  expect(ahead.fill(source)).toBe(false)
  expect(begun).toHaveLength(2)
  while (!ahead.fill(source)) expect(begun.length).toBeLessThanOrEqual(100)
  expect(begun).toHaveLength(100)
})

/** @returns how many were on their way */
async function settleAll(subscriptions: readonly ReturnType<typeof open>[]): Promise<number> {
  const settles = subscriptions.flatMap(({ begun }) => begun.splice(0))
  for (const settle of settles) settle({ text: '', tail: '' } as never)
  await new Promise(setImmediate)
  return settles.length
}

it('all subscriptions together have a bounded number on their way, however many they are, and each has its turn', async () => {
  const all = openAll()
  const part = { deliveries: Array.from({ length: 5 }) }
  const subscriptions = Array.from({ length: 900 }, () => open(all, undefined, part))
  for (const { ahead } of subscriptions) expect(ahead.fill(endless())).toBe(true)
  const rounds: number[] = []
  for (let settled = 0; settled < 900; ) {
    rounds.push(await settleAll(subscriptions))
    settled += rounds.at(-1) ?? 0
  }
  expect(rounds).toEqual([...Array.from({ length: 22 }, () => 40), 20])
})

it('what hangs keeps its room for a second, and no longer', async () => {
  const all = openAll()
  const hanging = Array.from({ length: 200 }, () => open(all))
  const { begun } = open(all)
  await new Promise(setImmediate)
  expect(hanging.every((each) => each.begun.length === 1)).toBe(true)
  expect(begun).toHaveLength(0)
  timers.nowMs = 1_000
  for (const look of timers.later.splice(0)) look()
  await new Promise(setImmediate)
  expect(begun).toHaveLength(1)
})

it('what has nothing to wait for does not wait for others', () => {
  const all = openAll()
  for (let n = 0; n < 600; n += 1) open(all)
  expect(all.make({ changes: 1, isUrgent: true }, () => 'there')).toBe('there')
})

it('what is there makes room', async () => {
  const all = openAll()
  const many = Array.from({ length: 10 }, () => open(all))
  for (const { ahead } of many) ahead.fill(endless())
  expect(many.reduce((sum, { begun }) => sum + begun.length, 0)).toBeLessThanOrEqual(205)
  expect(all.hasRoom).toBe(false)
  for (const { begun } of many) for (const settle of begun) settle({ text: '', tail: '' } as never)
  await new Promise(setImmediate)
  expect(all.hasRoom).toBe(true)
})

it('a part of a transaction counts as many times as it has changes', async () => {
  const all = openAll()
  const one = open(all)
  expect(one.ahead.fill(parts(30))).toBe(true)
  expect(one.begun).toHaveLength(5)
  for (const settle of one.begun) settle({ text: '', tail: '' } as never)
  await new Promise(setImmediate)
  // What was taken makes room.
  for (let taken = 0; taken < 5; taken += 1) one.ahead.shift()
  one.ahead.add('next')
  expect(one.ahead.fill(parts(300))).toBe(true)
  expect(one.begun).toHaveLength(7)
})

it('all subscriptions together have a bounded number of changes on their way, in however few results', () => {
  const all = openAll()
  const many = Array.from({ length: 20 }, () => open(all))
  for (const { ahead } of many) ahead.fill(parts(99))
  expect(many.reduce((sum, { begun }) => sum + begun.length, 0)).toBe(20 + 2)
})
