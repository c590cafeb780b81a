/** Answers of queries that a client does not read count for what all sockets of the server may hold, as changes do. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startServer } from '../server/server-fixture.ts'
import { createTickSource } from '../server/tick-schema.ts'
import { buildProbeSchema } from './probe-schema.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'

const QUERY = 'query ($bytes: Int!) { viewer text(bytes: $bytes) }'

test('who leaves its answers unread is cut once all sockets hold too much', async () => {
  const contexts: object[] = []
  const schema = buildProbeSchema({ contexts, source: createTickSource() })
  const limits = { socketsBufferedBytesMax: 1_000_000, pingIntervalMs: 60_000 }
  const { url } = await startServer({ schema, limits })
  // Only the clock of what is measured: five seconds pass at once.
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  /** The system takes some megabytes; what follows is held here, until no more is made. */
  const openUnread = async () => {
    const client = await openRawSocket(url)
    client.socket.pause()
    const before = contexts.length
    for (let id = 0; id < 40; id += 1) client.send(subscribeMessage(String(id), QUERY, { bytes: 500_000 }))
    await vi.waitUntil(
      async () => {
        const count = contexts.length
        await delay(100)
        return count > before && contexts.length === count
      },
      { timeout: 10_000 },
    )
    return client
  }
  const stalled = await openUnread()
  vi.advanceTimersByTime(10_000)
  const late = await openUnread()
  stalled.socket.resume()
  expect(await stalled.ended).toMatchObject({ code: 1006 })
  expect(late.socket.readyState).toBe(late.socket.OPEN)
}, 30_000)
