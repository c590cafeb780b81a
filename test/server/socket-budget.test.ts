/** What all sockets hold back together: less for each as it grows, and at the bound the largest that do not move go. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BudgetedSocket, SocketBudget } from '../../src/server/limits/socket-budget.ts'

interface TestSocket extends BudgetedSocket {
  heldBytes: number
  movedAtMs: number
  isCut: boolean
  /** What it has taken since it was looked at. */
  takenBytes: number
}

function createWorld(bytesMax: number) {
  let nowMs = 0
  const budget = new SocketBudget(bytesMax, () => nowMs)
  const sockets: TestSocket[] = []
  const hold = (socket: TestSocket, bytes: number): void => {
    const more = bytes - socket.heldBytes
    if (more < 0 || socket.heldBytes === 0) socket.movedAtMs = nowMs
    socket.heldBytes = bytes
    budget.add(socket, more)
  }
  const open = (): TestSocket => {
    const socket: TestSocket = {
      ...{ heldBytes: 0, movedAtMs: 0, isCut: false, takenBytes: 0 },
      recount() {
        const { heldBytes, takenBytes } = socket
        socket.takenBytes = 0
        if (takenBytes > 0) hold(socket, heldBytes - takenBytes)
      },
      cut() {
        socket.isCut = true
        hold(socket, 0)
      },
    }
    sockets.push(socket)
    return socket
  }
  return { budget, sockets, hold, open, pass: (ms: number) => (nowMs += ms) }
}

it('cuts the largest that have not moved, and nobody else, once all hold too much', () => {
  const { budget, hold, open, pass } = createWorld(1_000)
  const [large, small, reading, late] = [open(), open(), open(), open()]
  hold(large, 700)
  hold(small, 100)
  hold(reading, 150)
  pass(10_000)
  hold(reading, 140)
  expect([large, small, reading].map(({ isCut }) => isCut)).toEqual([false, false, false])
  hold(late, 200)
  expect([large, small, reading, late].map(({ isCut }) => isCut)).toEqual([true, false, false, false])
  expect(budget.bytes).toBe(100 + 140 + 200)
})

it('does not cut one that takes what it holds bit by bit', () => {
  const { budget, hold, open, pass } = createWorld(1_000)
  const [slow, stalled, late] = [open(), open(), open()]
  hold(slow, 500)
  hold(stalled, 400)
  pass(10_000)
  slow.takenBytes = 100
  hold(late, 300)
  expect([slow, stalled].map(({ isCut }) => isCut)).toEqual([false, true])
  expect(budget.bytes).toBe(400 + 300)
})

it('holds at most twice the bound, whoever came a moment ago: those that have not moved for the longest go first', () => {
  const { budget, sockets, hold, open, pass } = createWorld(1_000)
  for (let n = 0; n < 30; n += 1) {
    pass(1)
    hold(open(), 150)
    expect(budget.bytes).toBeLessThanOrEqual(2_000)
  }
  const firstKept = sockets.findIndex(({ isCut }) => !isCut)
  expect(firstKept).toBeGreaterThan(0)
  expect(sockets.slice(firstKept).some(({ isCut }) => isCut)).toBe(false)
})

it('is bounded by what each adds to an exhausted budget, whatever they do, and gives everybody something', () => {
  const step = fc.record({ who: fc.nat(19), isReading: fc.boolean(), ms: fc.nat(3_000) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const bytesMax = 1_000_000
      const { budget, sockets, hold, open, pass } = createWorld(bytesMax)
      for (let n = 0; n < 20; n += 1) open()
      for (const { who, isReading, ms } of steps) {
        pass(ms)
        const socket = sockets[who] as TestSocket
        const allowed = budget.allowance(400_000)
        expect(allowed).toBeGreaterThan(0)
        if (isReading) hold(socket, 0)
        else hold(socket, Math.max(socket.heldBytes, allowed))
        expect(budget.bytes).toBe(sockets.reduce((sum, { heldBytes }) => sum + heldBytes, 0))
        expect(budget.bytes).toBeLessThanOrEqual(bytesMax + sockets.length * 16 * 1024)
      }
    }),
  )
})
