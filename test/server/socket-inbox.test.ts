/** Messages of many sockets have a share of each turn together, those of each come in order, and who waits is not listened to. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { TurnShare } from '../../src/bus/turn-share.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { SocketReading } from '../../src/server/limits/socket-reading.ts'
import { createInboxHost, SocketInbox } from '../../src/server/websocket/socket-inbox.ts'

const guard = createGuard(silentLogger)
/** How long it takes to read one; by the clock, as that is what turns are measured by. */
const READ_MS = 3

function openWorld(readMs = READ_MS) {
  const host = createInboxHost(new TurnShare({ guard }), guard)
  const log: string[] = []
  const open = (name: string, fails = '') => {
    const socket = { bufferedAmount: 0, isPaused: false, isGone: false }
    const webSocket = {
      get bufferedAmount() {
        return socket.bufferedAmount
      },
      get isPaused() {
        return socket.isPaused
      },
      pause: () => {
        socket.isPaused = true
      },
      resume: () => {
        socket.isPaused = false
      },
      terminate: () => {
        socket.isGone = true
      },
    }
    const reading = new SocketReading(webSocket, 1_000)
    const inbox = new SocketInbox(host, {
      ...{ webSocket, reading },
      receive(data) {
        const untilMs = performance.now() + readMs
        while (performance.now() < untilMs);
        if (String(data) === fails) throw new Error(fails)
        log.push(`${name}${String(data).slice(0, 1)}`)
      },
    })
    return { socket, reading, take: (text: string) => inbox.accept(Buffer.from(text), false) }
  }
  return { log, open }
}

it('reads what there is time for, and the rest in later turns, in order', async () => {
  const { log, open } = openWorld()
  const sockets = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => open(name))
  for (const number of ['1', '2']) for (const { take } of sockets) take(number)
  expect(log.length).toBeLessThan(5)
  expect(sockets.some(({ socket }) => socket.isPaused)).toBe(true)
  let mostInATurn = 0
  for (let before = log.length; log.length < 12; before = log.length) {
    await nextTurn()
    mostInATurn = Math.max(mostInATurn, log.length - before)
  }
  expect(mostInATurn).toBeLessThan(5)
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
    expect(log.filter((each) => each.startsWith(name))).toEqual([`${name}1`, `${name}2`])
  await nextTurn()
  expect(sockets.some(({ socket }) => socket.isPaused)).toBe(false)
})

it('does not listen again to who has too much unread, nor while something waits, whoever makes room', async () => {
  const { log, open } = openWorld()
  const { socket, reading, take } = open('a')
  socket.bufferedAmount = 1_001
  for (const number of ['1', '2', '3', '4']) take(number)
  socket.bufferedAmount = 0
  reading.resume()
  expect([socket.isPaused, log.length < 4]).toEqual([true, true])
  socket.bufferedAmount = 1_001
  while (log.length < 4) await nextTurn()
  await nextTurn()
  expect(socket.isPaused).toBe(true)
  socket.bufferedAmount = 1_000
  reading.resume()
  expect(socket.isPaused).toBe(false)
})

it('reads no more of one socket than it may send, and of the others at once', async () => {
  const { log, open } = openWorld(0)
  const [loud, quiet] = [open('a'), open('b')]
  for (const number of ['1', '2', '3']) loud.take(number.repeat(250_000))
  quiet.take('1')
  while (log.length < 3) await nextTurn()
  expect([[...log].sort(), loud.socket.isPaused]).toEqual([['a1', 'a2', 'b1'], true])
  while (log.length < 4) await nextTurn()
  await nextTurn()
  expect([log.at(-1), loud.socket.isPaused]).toEqual(['a3', false])
})

it('one that fails ends its socket, and nobody else waits for it', async () => {
  const { log, open } = openWorld()
  const [bad, good] = [open('a', '4'), open('b')]
  for (const number of ['1', '2', '3', '4', '5']) bad.take(number)
  good.take('1')
  while (!log.includes('b1') || !bad.socket.isGone) await nextTurn()
  expect(log.filter((each) => each.startsWith('a'))).toEqual(['a1', 'a2', 'a3'])
})
