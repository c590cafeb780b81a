/** A gap that begins while a transaction is being sent: what comes after it begins with a whole one. */
import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { type LiveRowcast, openLiveRowcast, takeChanges } from '../support/live-rowcast.ts'
import { failureOf } from '../support/tags.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const ROWS = 4_000
/** Of more than one part, and of less than the whole. */
const PASSING_BYTES = 200_000

it('of a transaction that was sent in part nobody gets the rest alone', async () => {
  await using database = await openDatabase({ migrate: true })
  const streams = new Set<number>()
  let left = Number.POSITIVE_INFINITY
  await using proxy = await openTcpProxy(database.target.port, {
    intercept(bytes, { connection, direction }) {
      if (direction === 'toServer' && bytes.includes('START_REPLICATION')) streams.add(connection)
      if (direction === 'toServer' || !streams.has(connection)) return bytes
      const passing = bytes.subarray(0, Math.max(0, left))
      left -= bytes.length
      return Buffer.from(passing)
    },
  })
  const url = new URL(database.url)
  url.port = String(proxy.port)
  await using live = await openLiveRowcast(database, {
    ...{ models: ['Tag'], connectionString: url.href, watchIntervalMs: 100 },
  })
  const { rowcast } = live
  const tags = rowcast.subscribe('Tag')
  left = PASSING_BYTES
  await database.query(
    `INSERT INTO "Tag" (name) SELECT gen_random_uuid()::text FROM generate_series(1, ${ROWS})`,
  )
  await takeChanges(tags, 1)
  await database.query('ALTER PUBLICATION rowcast DROP TABLE "Tag"')
  await expect.poll(() => rowcast.status().lastError?.code).toBe('SOURCE_PUBLICATION_INCOMPLETE')
  left = Number.POSITIVE_INFINITY
  const drained = async (): Promise<void> => {
    for (;;) await takeChanges(tags, 1)
  }
  const shown = failureOf(drained()).then((failure) => {
    expect(failure).toMatchObject({ code: 'RESYNC_REQUIRED', details: { reason: 'table-unpublished' } })
    return beginAgain(rowcast)
  })
  await rowcast.enable()
  const indices = await shown
  expect(indices).toEqual(Array.from(indices, (_, n) => n))
})

/** The first changes that come to one who asks for all there is, again and again, up to the end of the transaction or of the subscription. */
async function beginAgain({ subscribe }: Pick<LiveRowcast['rowcast'], 'subscribe'>): Promise<number[]> {
  const indices: number[] = []
  while (indices.length === 0) {
    const tags = subscribe('Tag', { after: 'earliest' })
    const taking = async (): Promise<void> => {
      while (indices.length < ROWS) for (const { index } of await takeChanges(tags, 1)) indices.push(index)
    }
    const failure = await failureOf(taking())
    if (failure !== null) expect(failure).toMatchObject({ code: 'RESYNC_REQUIRED' })
  }
  return indices
}
