/** Requests that come in one turn begin as long as it has time: whoever waits for something else is not held up by a hundred of them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { TurnShare } from '../../src/bus/turn-share.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { begunInTurns } from '../../src/server/limits/begun-requests.ts'

/** What reading one of them takes. */
const REQUEST_MS = 3

it('a hundred requests of one turn begin in many, each in its order, and one that fails keeps nobody waiting', async () => {
  let nowMs = 0
  const begun: number[] = []
  const turns = new TurnShare({ guard: createGuard(silentLogger), nowMs: () => nowMs })
  const handle = begunInTurns((request) => {
    const n = Number(request.url)
    nowMs += REQUEST_MS
    begun.push(n)
    if (n % 10 === 7) throw new Error('It cannot be read.')
  }, turns)
  const failed: unknown[] = []
  const handleOne = async (n: number) => handle({ url: String(n) } as never, {} as never)
  const all = Array.from({ length: 100 }, (_, n) =>
    handleOne(n).catch((error: unknown) => failed.push(error)),
  )
  let most = begun.length
  expect(most).toBeLessThanOrEqual(2)
  while (begun.length < 100) {
    const before = begun.length
    await nextTurn()
    most = Math.max(most, begun.length - before)
  }
  // The time of a turn is looked at between two of them.
  expect(most).toBeLessThanOrEqual(4)
  await Promise.all(all)
  expect(begun).toEqual(Array.from({ length: 100 }, (_, n) => n))
  expect(failed).toHaveLength(10)
})
