/** Who takes a long piece bit by bit, over a slow link, is one that moves: Node.js says so of the piece when it is over. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { CountedSocket, takenBytesOf } from '../../src/server/limits/counted-socket.ts'
import { SocketBudget } from '../../src/server/limits/socket-budget.ts'

const PIECE_BYTES = 64 * 1024 * 1024

class TestSocket extends CountedSocket {
  isCut = false
  readonly #socket: Socket

  constructor(socket: Socket, budget: SocketBudget) {
    super(budget)
    this.#socket = socket
  }

  protected override unsentBytes(): number {
    return this.#socket.writableLength
  }

  protected override takenBytes(): number {
    return takenBytesOf(this.#socket)
  }

  protected override terminate(): void {
    this.isCut = true
  }
}

async function openPair() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const address = server.address()
  const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1').pause()
  const [socket] = (await accepted) as [Socket]
  const close = (): void => {
    client.destroy()
    socket.destroy()
    server.close()
  }
  return { client, socket, close }
}

/** Until the system takes no more. */
async function settle(socket: Socket): Promise<number> {
  for (let taken = -1; ; ) {
    const before = taken
    await new Promise((resolve) => setTimeout(resolve, 20))
    taken = takenBytesOf(socket)
    if (taken > 0 && taken === before) return taken
  }
}

it('within one piece', async () => {
  const { client, socket, close } = await openPair()
  try {
    let nowMs = 0
    const budget = new SocketBudget(PIECE_BYTES * 0.75, () => nowMs)
    const counted = new TestSocket(socket, budget)
    socket.write(Buffer.alloc(PIECE_BYTES))
    const before = await settle(socket)
    counted.recount()
    nowMs = 4_000
    counted.recount()
    expect(counted).toMatchObject({ heldBytes: PIECE_BYTES, movedAtMs: 0 })
    // It reads some, and stops.
    let read = 0
    client.on('data', (chunk) => {
      read += chunk.length
      if (read > PIECE_BYTES / 4) client.pause()
    })
    client.resume()
    while (takenBytesOf(socket) <= before) await new Promise((resolve) => setTimeout(resolve, 5))
    counted.recount()
    expect(counted).toMatchObject({ heldBytes: PIECE_BYTES, movedAtMs: 4_000 })
    nowMs = 8_900
    // Others need the room.
    budget.add({ heldBytes: 1, movedAtMs: nowMs, recount: () => undefined, cut: () => undefined }, 1)
    expect(counted.isCut).toBe(false)
    await settle(socket)
    counted.recount()
    nowMs += 6_000
    budget.add({ heldBytes: 1, movedAtMs: nowMs, recount: () => undefined, cut: () => undefined }, 1)
    expect(counted.isCut).toBe(true)
  } finally {
    close()
  }
})
