/** Connections that ask for nothing hold a descriptor each: of one peer there are so many. */
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { createHealthServer } from '../../src/server/health/health-server.ts'
import { startServer } from '../server/server-fixture.ts'

/** An address of this machine that is not loopback, which is not counted. */
const ADDRESS = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address

/** Opens a connection from that address; resolves to whether the server let it be. */
async function stays(port: number, opened: Socket[]): Promise<boolean> {
  const socket = connect({ port, host: ADDRESS ?? '' })
  opened.push(socket)
  socket.on('error', () => undefined)
  return new Promise((resolve) => {
    socket.once('close', () => resolve(false))
    socket.once('data', () => resolve(true))
    socket.write('GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n')
  })
}

test.skipIf(ADDRESS === undefined)(
  'five times as many as may stay, until some of them go; behind a proxy all',
  async () => {
    const limits = { connectionsPerAddressMax: 1 }
    const opened: Socket[] = []
    onTestFinished(() => {
      for (const socket of opened) socket.destroy()
    })
    const start = async (trustedProxyCount: number) => {
      const { url, logged } = await startServer({ host: '0.0.0.0', limits, trustedProxyCount })
      return { port: Number(new URL(url).port), logged }
    }
    const { port, logged } = await start(0)
    const outcomes = async (at: number, count: number) => {
      const seen: boolean[] = []
      for (let n = 0; n < count; n += 1) seen.push(await stays(at, opened))
      return seen
    }
    expect(await outcomes(port, 15)).toEqual([...new Array(5).fill(true), ...new Array(10).fill(false)])
    expect(logged.filter((line) => line.includes('A connection was cut'))).toHaveLength(5)
    expect(logged[0]).toContain('trustedProxyCount')
    opened[0]?.destroy()
    await expect.poll(() => stays(port, opened)).toBe(true)
    expect(await outcomes((await start(1)).port, 7)).toEqual(new Array(7).fill(true))
  },
)

test.skipIf(ADDRESS === undefined)('a process that serves health alone bounds them as well', async () => {
  const opened: Socket[] = []
  const server = createHealthServer({
    ...{ host: '0.0.0.0', port: 0, health: () => ({ isReady: true }), logger: silentLogger },
    limits: { connectionsPerAddressMax: 1 },
  })
  const { port } = await server.listen()
  onTestFinished(async () => {
    for (const socket of opened) socket.destroy()
    await server.close()
  })
  const seen: boolean[] = []
  for (let n = 0; n < 7; n += 1) seen.push(await stays(port, opened))
  expect(seen).toEqual([...new Array(5).fill(true), false, false])
})

test('nor does it wait for a request that trickles in', async () => {
  const server = createHealthServer({
    ...{ host: '127.0.0.1', port: 0, health: () => ({ isReady: true }), logger: silentLogger },
    limits: { requestTimeoutMs: 100 },
  })
  const { port } = await server.listen()
  onTestFinished(() => server.close())
  const socket = connect({ port, host: '127.0.0.1' })
  const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
  socket.write('GET /health/live HTTP/1.1\r\nhost: local')
  expect(await answer).toMatch(/^HTTP\/1\.1 408 /)
})
