/** How many results are begun before those in front of them are there, and how long others wait meanwhile. */
import { expect, it } from 'vitest'
import type { DeliveryPull } from '../../src/bus/bus.ts'
import type { DeliveryResult } from '../../src/server/delivery/result-text.ts'
import { ResultsAhead, ResultsOnTheirWay } from '../../src/server/delivery/results-ahead.ts'

/** A source that always has more. */
function endless(next: () => unknown = () => 'change'): DeliveryPull<unknown> {
  return { reader: null, isEnded: false, take: next }
}

/** One that has a part of a transaction, of so many changes, each time. */
const parts = (changes: number) => endless(() => ({ deliveries: Array.from({ length: changes }) }))

/** A subscription whose results take their time; how many it has begun. @param costMs what beginning one takes */
function open(all: ResultsOnTheirWay, spend: () => void = () => undefined) {
  const begun: ((result: DeliveryResult) => void)[] = []
  const ahead = new ResultsAhead({
    all,
    resultOf() {
      spend()
      return new Promise<DeliveryResult>((resolve) => begun.push(resolve))
    },
    onFirst: () => undefined,
    onFailure: () => undefined,
  })
  ahead.add('first')
  return { ahead, begun }
}

it('others have their turn between results that take long to begin', () => {
  let nowMs = 0
  const all = new ResultsOnTheirWay(() => nowMs)
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

it('all subscriptions together have a bounded number on their way, and each has one', () => {
  const all = new ResultsOnTheirWay(() => 0)
  const subscriptions = Array.from({ length: 900 }, () => open(all))
  for (const { ahead } of subscriptions) expect(ahead.fill(endless())).toBe(true)
  const begun = subscriptions.map((each) => each.begun.length)
  expect(begun.every((count) => count === 1)).toBe(true)
})

it('what is there makes room', async () => {
  const all = new ResultsOnTheirWay(() => 0)
  const many = Array.from({ length: 10 }, () => open(all))
  for (const { ahead } of many) ahead.fill(endless())
  expect(many.reduce((sum, { begun }) => sum + begun.length, 0)).toBeLessThanOrEqual(505)
  expect(all.hasRoom).toBe(false)
  for (const { begun } of many) for (const settle of begun) settle({ text: '', tail: '' } as never)
  await new Promise(setImmediate)
  expect(all.hasRoom).toBe(true)
})

it('a part of a transaction counts as many times as it has changes', async () => {
  const all = new ResultsOnTheirWay(() => 0)
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
  const all = new ResultsOnTheirWay(() => 0)
  const many = Array.from({ length: 20 }, () => open(all))
  for (const { ahead } of many) ahead.fill(parts(99))
  expect(many.reduce((sum, { begun }) => sum + begun.length, 0)).toBe(20 + 5)
})

it('one that many subscriptions wait for counts once', () => {
  const all = new ResultsOnTheirWay(() => 0)
  const shared = new Promise<DeliveryResult>(() => undefined)
  for (let n = 0; n < 1_000; n += 1) void all.add(shared, 1)
  expect(all.isCrowded).toBe(false)
})
