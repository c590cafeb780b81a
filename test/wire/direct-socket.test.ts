/** The socket under a replication stream: one buffer for all reads, and two reasons not to read. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { createDirectSocket } from '../../src/wire/direct-socket.ts'

const NET = { timeout: 30_000, interval: 5 }

async function connect(pace?: Parameters<typeof createDirectSocket>[0]) {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const direct = createDirectSocket(pace)
  const accepted = once(server, 'connection')
  direct.socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [remote] = (await accepted) as [Socket]
  const closed = once(direct.socket, 'close')
  return {
    ...{ direct, remote, closed },
    async [Symbol.asyncDispose]() {
      direct.socket.destroy()
      remote.destroy()
      await closed
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Bytes that show their place. */
function pattern(from: number, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (from + at) % 251))
}

describe('direct socket', () => {
  it('is a stream like any other until it is taken over, and hands over without a loss', async () => {
    await using it = await connect()
    const early: Buffer[] = []
    it.direct.socket.on('data', (chunk: Buffer) => early.push(chunk))
    it.remote.write(pattern(0, 100))
    await vi.waitFor(() => expect(Buffer.concat(early)).toEqual(pattern(0, 100)), NET)
    const late: Buffer[] = []
    it.direct.socket.removeAllListeners('data')
    it.direct.accept = (bytes) => late.push(Buffer.from(bytes))
    it.remote.write(pattern(100, 1_000_000))
    await vi.waitFor(() => expect(late.reduce((sum, { length }) => sum + length, 0)).toBe(1_000_000), NET)
    expect(Buffer.concat(late).equals(pattern(100, 1_000_000))).toBe(true)
    // What the driver was given is its own.
    expect(Buffer.concat(early)).toEqual(pattern(0, 100))
  })

  it('reads nothing while it is paused, though a rest ends meanwhile, and everything afterwards', async () => {
    await using it = await connect({ isRestDue: () => true })
    let taken = 0
    it.direct.accept = (bytes) => {
      taken += bytes.length
    }
    it.direct.socket.resume()
    it.remote.write(pattern(0, 1_500))
    await vi.waitFor(() => expect(taken).toBe(1_500), NET)
    it.remote.write(pattern(0, 1_500))
    // Paused from within the rest, which begins right after this call.
    await new Promise<void>((resolve) => {
      it.direct.accept = (bytes) => {
        taken += bytes.length
        queueMicrotask(() => {
          it.direct.pause()
          resolve()
        })
      }
    })
    it.remote.write(pattern(0, 50_000))
    // Timers fire in order: the rest is over; and then whatever would be read is read.
    for (let turn = 0; turn < 5; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(taken).toBe(3_000)
    it.direct.resume()
    await vi.waitFor(() => expect(taken).toBe(53_000), NET)
  })

  it('shows that the other side is gone', async () => {
    await using it = await connect()
    it.direct.accept = () => {}
    it.remote.end()
    await it.closed
    expect(it.direct.socket.readableEnded).toBe(true)
  })
})
