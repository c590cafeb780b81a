/** While connections come in, turns of the event loop are short: each brings one connection, and others wait to be accepted. */
import { createServer } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { Arrivals, arrivals } from '../../src/bus/arrivals.ts'
import { Slice } from '../../src/bus/time-slices.ts'
import { TurnShare } from '../../src/bus/turn-share.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveryTurn } from '../../src/server/delivery/delivery-turn.ts'
import { noteArrivals } from '../../src/server/http/open-sockets.ts'

const guard = createGuard(silentLogger)

it('a turn with a connection and the next one are short, and those behind it are not', () => {
  const due: (() => void)[] = []
  const noted = new Arrivals((run) => due.push(run))
  const shares: number[] = []
  const endTurn = (): void => {
    shares.push(noted.shareOf(8))
    for (const run of due.splice(0)) run()
  }
  endTurn()
  noted.note()
  endTurn()
  noted.note()
  noted.note()
  for (let turn = 0; turn < 4; turn += 1) endTurn()
  expect(shares).toEqual([8, 1, 1, 1, 8, 8])
  expect(due).toEqual([])
})

it.each([
  [
    'operations, results and joint reads',
    (nowMs: () => number, work: () => void) => {
      const turns = new TurnShare({ guard, isOneByOne: true, nowMs })
      for (let n = 0; n < 40; n += 1) void (turns.wait() ?? Promise.resolve()).then(work)
    },
  ],
  [
    'frames',
    (nowMs: () => number, work: () => void) => {
      const turn = createDeliveryTurn(guard, nowMs)
      for (let n = 0; n < 40; n += 1) turn.add({ flush: work, abandon: () => undefined, isLagging: false })
    },
  ],
])('%s go on a piece at a time', async (_, begin) => {
  let clockMs = 0
  let done = 0
  const work = (): void => {
    clockMs += 1
    done += 1
  }
  const perTurn: number[] = []
  begin(() => clockMs, work)
  for (let turn = 0; turn < 20; turn += 1) {
    const before = done
    if (turn < 10) arrivals.note()
    await nextTurn()
    perTurn.push(done - before)
  }
  // The first turn may have begun before a connection came; what comes in callbacks of a promise may stand in the next one.
  expect(Math.max(...perTurn.slice(1, 9))).toBeLessThanOrEqual(2)
  expect(Math.max(...perTurn.slice(11))).toBeGreaterThan(2)
  expect(done).toBe(40)
})

it('reading for those who are behind is cut short as well', async () => {
  const isOverAfterOneMs = (): boolean => {
    let nowMs = 0
    const slice = new Slice({ soon: setImmediate, later: setImmediate, nowMs: () => nowMs })
    nowMs = 1
    return slice.isOver(32)
  }
  arrivals.note()
  expect(isOverAfterOneMs()).toBe(true)
  for (let turn = 0; turn < 3; turn += 1) await nextTurn()
  expect(isOverAfterOneMs()).toBe(false)
})

it('a server notes who connects', async () => {
  const http = createServer((_request, response) => response.end())
  noteArrivals(http, guard)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void http.close())
  const share = new Promise((resolve) => http.once('connection', () => resolve(arrivals.shareOf(8))))
  const { port } = http.address() as { port: number }
  await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })
  expect(await share).toBe(1)
})
