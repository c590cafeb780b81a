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
  /** How long each piece waits for the one before it. @default not at all */
  readonly pieceDelayMs?: (() => number) | undefined
  /** Bytes of each flow that still travel as usual: those before the n-th, counted from now. @default 0 */
  readonly afterBytes?: number | undefined
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
  /**
   * Both ways of every connection that is open now fall silent, each from its n-th byte on, counted from now: what would
   * follow is lost, and no connection is closed. Those that come later live, unless `isForNew`: then each of them falls silent alike.
   * Null: no new one does any more, and those that are silent are closed.
   */
  silence(afterBytes: number | null, isForNew?: boolean): void
}

/** One direction of one connection, and how far it is. */
interface Flow {
  readonly from: Socket
  /** How many bytes have gone on, of as many as may. */
  passed: number
  silentAfter: number
  /** How many go on before the shape counts. */
  shapedAfter: number
}

/** What may still go on before the flow falls silent. */
function cutAt({ passed, silentAfter }: Flow, bytes: Buffer): Buffer {
  const left = silentAfter - passed
  return bytes.length <= left ? bytes : bytes.subarray(0, Math.max(0, left))
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
  /** Of a connection that comes. */
  let newSilentAfter = Number.POSITIVE_INFINITY
  const flows = new Set<Flow>()

  /** Writes in the given shape, piece by piece. */
  async function writeShaped(bytes: Buffer, to: Socket): Promise<void> {
    if (shape !== null) await delay(shape.delayMs())
    for (let start = 0; start < bytes.length && !to.destroyed; ) {
      const end = shape === null ? bytes.length : start + Math.max(1, shape.pieceBytes())
      to.write(bytes.subarray(start, end))
      start = end
      const pauseMs = shape?.pieceDelayMs?.() ?? 0
      await (pauseMs === 0 ? nextTurn() : delay(pauseMs))
    }
  }

  function join(from: Socket, to: Socket, flow: ProxyFlow): void {
    sockets.add(from)
    const state: Flow = { from, silentAfter: newSilentAfter, passed: 0, shapedAfter: shape?.afterBytes ?? 0 }
    flows.add(state)
    from.setNoDelay(true)
    let shaping = Promise.resolve()
    let shapingCount = 0

    function forward(bytes: Buffer): void {
      if (isHalving) {
        isHalving = false
        to.write(bytes.subarray(0, bytes.length >> 1), cut)
      } else if ((shape === null || state.shapedAfter > state.passed) && shapingCount === 0) {
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
      const passing = cutAt(state, options.intercept?.(bytes, flow) ?? bytes)
      state.passed += passing.length
      if (passing.length > 0) forward(passing)
    })
    to.on('drain', () => {
      if (!isStalled) from.resume()
    })
    from.on('error', () => {})
    from.on('close', () => {
      sockets.delete(from)
      flows.delete(state)
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
      for (const flow of flows) flow.shapedAfter = flow.passed + (next?.afterBytes ?? 0)
    },
    halve() {
      isHalving = true
    },
    silence(afterBytes, isForNew = false) {
      newSilentAfter = isForNew && afterBytes !== null ? afterBytes : Number.POSITIVE_INFINITY
      for (const flow of flows) {
        if (afterBytes !== null) flow.silentAfter = flow.passed + afterBytes
        else if (flow.silentAfter !== Number.POSITIVE_INFINITY) flow.from.destroy()
      }
    },
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
