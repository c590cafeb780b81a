/** Whoever waits for the stream is woken by it, and by its end. */

import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) }

/** One whose clock stands still until it is looked at. */
function openFollower() {
  const bus = createMemoryBus({})
  bus.open(START)
  const clock = { nowMs: 0, looks: [] as (() => void)[] }
  const follower = new StreamFollower({
    ...{ bus, look: async () => SEES_ALL, monotonicMs: () => clock.nowMs, timeoutMs: 10_000 },
    wait: () => new Promise((resolve) => clock.looks.push(resolve)),
  })
  const come: string[] = []
  const waitFor = (lsn: Lsn) =>
    follower.whenPassed(lsn).then(
      () => come.push(`${lsn}`),
      (error: unknown) => come.push(String(error)),
    )
  const look = () => {
    for (const each of clock.looks.splice(0)) each()
    return settled()
  }
  return { bus, follower, clock, come, waitFor, look }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

it('wakes those whose position has come, and looks for nobody else', async () => {
  const { follower, clock, come, waitFor } = openFollower()
  for (const lsn of [50n, 30n, 50n, 90n]) void waitFor(toLsn(lsn))
  await settled()
  const looks = clock.looks.length
  for (const [passed, expected] of [
    [20n, []],
    [40n, ['30']],
    [49n, ['30']],
    [50n, ['30', '50', '50']],
    [60n, ['30', '50', '50']],
    [95n, ['30', '50', '50', '90']],
  ] as const) {
    follower.notePassed(toLsn(passed))
    await settled()
    expect(come).toEqual(expected)
  }
  await waitFor(toLsn(95n))
  expect([come.at(-1), clock.looks.length]).toEqual(['95', looks])
})

it.each([
  ['the stream has ended', 0],
  ['the stream is behind', 10_000],
])('whoever waits for what does not come learns why: %s', async (reason, atMs) => {
  const { bus, clock, come, waitFor, look } = openFollower()
  void waitFor(toLsn(50n))
  await settled()
  if (atMs === 0) bus.gap(new Error('Lost.') as never)
  clock.nowMs = atMs
  await look()
  expect(come).toEqual([expect.stringContaining(reason)])
})

it('takes what committed before the stream for visible only where a look shows it', async () => {
  const bus = createMemoryBus({})
  bus.open(START)
  const sees = (before: boolean) => Object.assign(() => true, { seesAllBefore: () => before })
  const seen = { all: false }
  const look = async () => sees(seen.all)
  const follower = new StreamFollower({ bus, look, monotonicMs: () => 0, wait: async () => {} })
  bus.history?.earlier.ask(5n)
  expect(await follower.isVisible(0)).toBe(false)
  expect(bus.cursorBefore(sees(false))).toBeNull()
  seen.all = true
  expect(await follower.isVisible(0)).toBe(true)
})
