/** A TCP proxy on loopback that misbehaves on demand: it stalls, cuts or refuses, as networks do. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

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
}

/** Starts a proxy to `127.0.0.1:targetPort`. */
export async function openTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let isStalled = false
  let isRefusing = false
  let accepted = 0
  let currentPort = targetPort

  function join(from: Socket, to: Socket): void {
    sockets.add(from)
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause()
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
    join(client, upstream)
    join(upstream, client)
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
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
