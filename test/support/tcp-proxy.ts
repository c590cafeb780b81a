/** A TCP proxy on loopback that misbehaves on demand: it stalls, cuts, delays, halves or refuses, as networks do. */
import type { Buffer } from 'node:buffer'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

/** One direction of one connection. */
export interface ProxyFlow {
  /** Counted from 1, as `accepted`. */
  readonly connection: number
  readonly direction: 'toServer' | 'toClient'
}

/** How bytes travel while a network is bad. */
export interface ProxyShape {
  /** How long each chunk waits before it goes on. */
  readonly delayMs: () => number
  /** Size of the next piece that a chunk is cut into. */
  readonly pieceBytes: () => number
}

/** What a proxy can be given. */
export interface TcpProxyOptions {
  /** Sees all bytes and returns those that may go on now; what it keeps back it may return later. */
  readonly intercept?: ((bytes: Buffer, flow: ProxyFlow) => Buffer) | undefined
}

/** A proxy in front of one server. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** How many clients it took so far. */
  readonly accepted: number
  /** Swallows nothing and delivers nothing: every byte waits until `resume()`; no connection is closed. */
  stall(): void
  resume(): void
  /** Closes every connection without a goodbye. */
  cut(): void
  /** While on, new clients are turned away at once. */
  refuse(isRefusing: boolean): void
  /** New clients go to another server from now on. */
  retarget(port: number): void
  /** From now on chunks are delayed and cut to pieces; null ends it. */
  shape(shape: ProxyShape | null): void
  /** Of the next chunk that is written only the first half arrives: then every connection is closed. */
  halve(): void
}

/** Starts a proxy to `127.0.0.1:targetPort`. */
export async function openTcpProxy(targetPort: number, options: TcpProxyOptions = {}): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let isStalled = false
  let isRefusing = false
  let accepted = 0
  let currentPort = targetPort
  let shape: ProxyShape | null = null
  let isHalving = false

  /** Writes in the given shape, piece by piece. */
  async function writeShaped(bytes: Buffer, to: Socket): Promise<void> {
    if (shape !== null) await delay(shape.delayMs())
    for (let start = 0; start < bytes.length && !to.destroyed; ) {
      const end = shape === null ? bytes.length : start + Math.max(1, shape.pieceBytes())
      to.write(bytes.subarray(start, end))
      start = end
      await nextTurn()
    }
  }

  function join(from: Socket, to: Socket, flow: ProxyFlow): void {
    sockets.add(from)
    from.setNoDelay(true)
    let shaping = Promise.resolve()
    let shapingCount = 0

    function forward(bytes: Buffer): void {
      if (isHalving) {
        isHalving = false
        to.write(bytes.subarray(0, bytes.length >> 1), cut)
      } else if (shape === null && shapingCount === 0) {
        if (!to.write(bytes)) from.pause()
      } else {
        shapingCount += 1
        from.pause()
        shaping = shaping
          .then(() => writeShaped(bytes, to))
          .then(() => {
            shapingCount -= 1
            if (shapingCount === 0 && !isStalled) from.resume()
          })
      }
    }
    from.on('data', (bytes) => {
      const passing = options.intercept?.(bytes, flow) ?? bytes
      if (passing.length > 0) forward(passing)
    })
    to.on('drain', () => {
      if (!isStalled) from.resume()
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    if (isStalled) from.pause()
  }

  const server = createServer((client) => {
    if (isRefusing) {
      client.destroy()
      return
    }
    accepted += 1
    const upstream = connect(currentPort, '127.0.0.1')
    join(client, upstream, { connection: accepted, direction: 'toServer' })
    join(upstream, client, { connection: accepted, direction: 'toClient' })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  function cut(): void {
    for (const socket of sockets) socket.destroy()
  }

  return {
    port: (server.address() as AddressInfo).port,
    get accepted() {
      return accepted
    },
    stall() {
      isStalled = true
      for (const socket of sockets) socket.pause()
    },
    resume() {
      isStalled = false
      for (const socket of sockets) socket.resume()
    },
    cut,
    refuse(value) {
      isRefusing = value
    },
    retarget(port) {
      currentPort = port
    },
    shape(next) {
      shape = next
    },
    halve() {
      isHalving = true
    },
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
