/** Connections that ask for nothing hold a descriptor each: of one peer there are so many. */
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
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
  'twice as many as may stay, until some of them go; behind a proxy all',
  async () => {
    const limits = { connectionsPerAddressMax: 2 }
    const opened: Socket[] = []
    onTestFinished(() => {
      for (const socket of opened) socket.destroy()
    })
    const portOf = async (trustedProxyCount: number) =>
      Number(new URL((await startServer({ host: '0.0.0.0', limits, trustedProxyCount })).url).port)
    const port = await portOf(0)
    const outcomes = async (at: number, count: number) => {
      const seen: boolean[] = []
      for (let n = 0; n < count; n += 1) seen.push(await stays(at, opened))
      return seen
    }
    expect(await outcomes(port, 6)).toEqual([true, true, true, true, false, false])
    opened[0]?.destroy()
    await expect.poll(() => stays(port, opened)).toBe(true)
    expect(await outcomes(await portOf(1), 6)).toEqual(new Array(6).fill(true))
  },
)
