/** What one turn of the event loop spends on work that can be put off is bounded for all kinds together, and none of them stands still. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LoopTurn } from '../../src/bus/loop-turn.ts'
import { TurnShare } from '../../src/bus/turn-share.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveryTurn } from '../../src/server/delivery/delivery-turn.ts'

const guard = createGuard(silentLogger)

it('gives what is left of the turn, then as little as keeps each kind going, and all of it again in the next', async () => {
  let nowMs = 100
  const turn = new LoopTurn({ nowMs: () => nowMs })
  expect(turn.shareOf(4)).toBe(4)
  nowMs += 3
  expect([turn.shareOf(4), turn.shareOf(1)]).toEqual([2, 1])
  nowMs += 20
  expect([turn.shareOf(8), turn.shareOf(4)]).toEqual([1, 0.5])
  // What has been spent of it counts.
  expect([turn.shareOf(8, 0.5), turn.shareOf(8, 3)]).toEqual([0.5, -2])
  await nextTurn()
  expect([turn.shareOf(8), turn.shareOf(8, 4)]).toEqual([5, 4])
})

it('is an eighth of that while connections come', () => {
  const turn = new LoopTurn({ nowMs: () => 0, connections: { shareOf: (ms) => ms / 8 } })
  expect(turn.shareOf(4)).toBe(0.5)
})

/** Turns that six kinds of work take, each of sixty pieces of a millisecond. */
async function turnsTaken(isShared: boolean): Promise<number> {
  let nowMs = 0
  const clock = () => nowMs
  const turnOf = () => new LoopTurn({ nowMs: clock })
  const shared = turnOf()
  let done = 0
  const work = (): void => {
    nowMs += 1
    done += 1
  }
  const pieces = Array.from({ length: 5 }, () => {
    const turn = isShared ? shared : turnOf()
    const turns = new TurnShare({ guard, isOneByOne: true, nowMs: clock, turn })
    return Array.from({ length: 60 }, () => (turns.wait() ?? Promise.resolve()).then(work))
  })
  const frames = createDeliveryTurn(guard, clock, isShared ? shared : turnOf())
  for (let n = 0; n < 60; n += 1)
    frames.add({ flush: work, abandon: () => undefined, isLagging: n % 2 === 0 })
  let taken = 0
  for (; done < 360; taken += 1) await nextTurn()
  await Promise.all(pieces.flat())
  return taken
}

it('all kinds of work together take no longer than one of them may, and a piece of each', async () => {
  const taken = await turnsTaken(true)
  // 5 ms for all of them, and a piece of each of seven lines that find them taken.
  expect(360 / taken).toBeLessThanOrEqual(5 + 7)
  // Each with a share of its own they would be done sooner, in turns that are longer.
  expect(taken).toBeGreaterThan((await turnsTaken(false)) * 1.3)
})
