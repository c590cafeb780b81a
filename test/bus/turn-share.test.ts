/** Operations begin a few milliseconds at a time, in the order in which they came, and others have their turn in between. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { TurnShare } from '../../src/bus/turn-share.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'

const guard = createGuard(silentLogger)

it('begins what there is time for, and the rest in order in later turns of the event loop', async () => {
  let nowMs = 0
  const turns = new TurnShare({ guard, nowMs: () => nowMs })
  const begun: number[] = []
  /** Each takes three milliseconds, part of them after it was let in. */
  const begin = async (id: number): Promise<void> => {
    await turns.wait()
    begun.push(id)
    nowMs += 1
    await Promise.resolve()
    nowMs += 2
  }
  // As messages come: each socket's in a callback of its own, all within one turn.
  const all = Promise.all(Array.from({ length: 10 }, (_, id) => nextTurn().then(() => begin(id))))
  const perTurn: number[] = []
  for (let last = 0; begun.length < 10; last = begun.length) {
    await nextTurn()
    perTurn.push(begun.length - last)
  }
  await all
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  // Two of three milliseconds each: the second begins before four are over.
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(2)
  expect(perTurn.length).toBeGreaterThan(3)
})

it('begins one after the other what comes in one go', async () => {
  let nowMs = 0
  const turns = new TurnShare({ guard, isOneByOne: true, nowMs: () => nowMs })
  const begun: number[] = []
  const turnsOf: number[] = []
  let turn = 0
  const countTurns = (): void => {
    turn += 1
    if (begun.length < 10) setImmediate(countTurns)
  }
  setImmediate(countTurns)
  /** Most of the time it takes in a tick, as a write to a socket of HTTP does. */
  const begin = async (id: number): Promise<void> => {
    await turns.wait()
    begun.push(id)
    turnsOf.push(turn)
    await Promise.resolve()
    process.nextTick(() => {
      nowMs += 3
    })
  }
  await Promise.all(Array.from({ length: 10 }, (_, id) => begin(id)))
  expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  // The tick of one comes beside the look of the next.
  const perTurn = turnsOf.map((turn) => turnsOf.filter((other) => other === turn).length)
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(3)
})

it('lets one begin at once where nothing else did', () => {
  const turns = new TurnShare({ guard })
  expect(turns.wait()).toBeNull()
})

it('leaves nobody waiting after a fault in between', async () => {
  let isFaulty = false
  let nowMs = 0
  const clock = () => {
    if (!isFaulty) return nowMs
    isFaulty = false
    throw new Error('the clock is broken')
  }
  const turns = new TurnShare({ guard, nowMs: clock })
  expect(turns.wait()).toBeNull()
  nowMs = 100
  const waiting = [turns.wait(), turns.wait(), turns.wait()]
  isFaulty = true
  await Promise.all(waiting)
  expect(isFaulty).toBe(false)
})
