/** Who has little to say does not wait for those who have much, and they are not forgotten either. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveryTurn, type Flushable } from '../../src/server/delivery/delivery-turn.ts'

function createWorld() {
  let nowMs = 0
  const log: string[] = []
  const turns = createDeliveryTurn(createGuard(silentLogger), () => nowMs)
  /** One whose flush takes so long; `rounds` of them until it has said everything. */
  const open = (name: string, tookMs: number, rounds: number): Flushable => {
    let left = rounds
    const flushable = {
      isLagging: false,
      flush() {
        nowMs += tookMs
        left -= 1
        log.push(name)
        flushable.isLagging = left > 0
        if (left > 0) turns.add(flushable)
      },
      abandon: () => undefined,
    }
    return flushable
  }
  return { log, turns, open, elapsedMs: () => nowMs }
}

// First of all: those of the other tests are not done when their tests are.
it('once all is flushed, the event loop rests', async () => {
  const asked = vi.spyOn(globalThis, 'setImmediate')
  const { log, turns, open } = createWorld()
  turns.add(open('prompt', 1, 1))
  turns.add(open('lagging', 9, 3))
  for (let round = 0; round < 10; round += 1) await turn()
  expect(log).toEqual(['prompt', 'lagging', 'lagging', 'lagging'])
  asked.mockClear()
  for (let round = 0; round < 10; round += 1) await turn()
  expect(asked).not.toHaveBeenCalled()
  asked.mockRestore()
})

it('one that is up to date waits for a slice of those that lag, however many they are', async () => {
  const { log, turns, open, elapsedMs } = createWorld()
  for (let n = 0; n < 100; n += 1) turns.add(open(`lagging ${n}`, 4, 1_000))
  for (let round = 0; round < 300; round += 1) await turn()
  for (let round = 0; round < 20; round += 1) {
    const askedMs = elapsedMs()
    turns.add(open('prompt', 1, 1))
    await turn()
    await turn()
    expect(log.lastIndexOf('prompt')).toBeGreaterThan(log.length - 4)
    expect(elapsedMs() - askedMs).toBeLessThan(20)
  }
})

it('those that lag have their share of each turn while others have much to say', async () => {
  const { log, turns, open } = createWorld()
  turns.add(open('lagging', 4, 20))
  for (let round = 0; round < 40; round += 1) {
    for (let n = 0; n < 50; n += 1) turns.add(open('prompt', 1, 1))
    await turn()
  }
  expect(log.filter((name) => name === 'lagging')).toHaveLength(20)
})

it('what came in one turn is flushed before anything else happens, in order', async () => {
  const { log, turns, open } = createWorld()
  for (const name of ['a', 'b', 'c']) turns.add(open(name, 1, 1))
  await Promise.resolve()
  expect(log).toEqual(['a', 'b', 'c'])
  expect(turns.isBusy).toBe(false)
})

it('one turn of the event loop spends no more on them, however often it is asked to', async () => {
  const { log, turns, open } = createWorld()
  for (let n = 0; n < 20; n += 1) {
    turns.add(open(String(n), 4, 1))
    // As each of many sockets that has room again.
    await Promise.resolve()
  }
  expect(log.length).toBe(2)
  for (let round = 0; round < 20; round += 1) await turn()
  expect(log.length).toBe(20)
})
