/** A stream that dies as soon as it begins, though keepalives move it on: tried less and less often, and reported as one thing. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { insertTag } from '../support/tags.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const COPY_BOTH_RESPONSE = 0x57 // 'W'
const COPY_DATA = 0x64 // 'd'
const XLOG_DATA = 0x77 // 'w'

/**
 * The messages without those that bring WAL: PostgreSQL before 15 sends empty transactions, such as those of autovacuum, and a stream that
 * brings one has delivered something. PostgreSQL manual, 55.7 "Message Formats".
 */
function withoutWal(bytes: Buffer): Buffer {
  const kept: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 1 + bytes.readUInt32BE(at + 1)) {
    const message = bytes.subarray(at, at + 1 + bytes.readUInt32BE(at + 1))
    if (message[0] !== COPY_DATA || message[5] !== XLOG_DATA) kept.push(message)
  }
  return Buffer.concat(kept)
}

it('a stream that fails as soon as it begins is no stream until it has delivered something', async () => {
  await using database = await openDatabase({ migrate: true })
  let isCutting = false
  await using proxy = await openTcpProxy(database.target.port, {
    intercept(bytes, { direction }) {
      if (!isCutting || direction !== 'toClient') return bytes
      if (bytes[0] === COPY_DATA) return withoutWal(bytes)
      if (bytes[0] !== COPY_BOTH_RESPONSE) return bytes
      // Once the server has said how far it is.
      const moveOn = database.query(`SELECT pg_logical_emit_message(false, 'other', 'x')`)
      moveOn.finally(() => setTimeout(() => proxy.cut(), 100))
      return withoutWal(bytes)
    },
  })
  const url = new URL(database.url)
  url.port = String(proxy.port)
  await using _ = {
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
    },
  }
  const options = { catalog, slot: slotOf(database), enableOnStart: true, watchIntervalMs: 100 }
  const rowcast = createRowcast({ ...options, connectionString: url.href }).register('Tag')
  rowcast.start()
  await rowcast.ready()
  isCutting = true
  proxy.cut()
  const { streamsStarted } = rowcast.status()
  await expect.poll(() => rowcast.status().streamsStarted, { timeout: 20_000 }).toBe(streamsStarted + 3)
  const seen = new Set<string>()
  let failures = 0
  while (rowcast.status().streamsStarted < streamsStarted + 4) {
    const status = rowcast.status()
    seen.add(`${status.isReady} ${status.lastError?.code}`)
    expect(status.failures === 0 || status.failures >= failures).toBe(true)
    failures = Math.max(failures, status.failures)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect([...seen]).toEqual([expect.stringMatching(/^false (SOURCE|WIRE)_/)])
  expect(failures).toBeGreaterThanOrEqual(3)
  isCutting = false
  const tags = rowcast.subscribe('Tag')
  const name = await insertTag(database)
  expect((await takeChanges(tags, 1))[0]?.new?.name).toBe(name)
  await expect
    .poll(() => rowcast.status(), { timeout: 20_000 })
    .toMatchObject({ isReady: true, lastError: null })
})
