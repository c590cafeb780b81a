/** A collection of TanStack DB whose subscription ends for good behind its first rows. */
import { createCollection } from '@tanstack/db'
import { expect, it } from 'vitest'
import { rowcastCollectionOptions } from '../../src/adapters/tanstack-db.ts'

it('is in error from then on, and keeps the rows that it had', async () => {
  let fail = () => {}
  const change = { cursor: 'c', transition: null, key: null, new: null }
  const client = {
    subscribe(_payload: unknown, sink: { next(result: unknown): void; error(errors: unknown): void }) {
      sink.next({ data: { tagChanged: { ...change, action: 'READ', new: { id: '1' } } } })
      sink.next({ data: { tagChanged: { ...change, action: 'READY' } } })
      fail = () => sink.error([{ message: 'no', extensions: { code: 'FORBIDDEN' } }])
      return () => undefined
    },
  }
  const collection = createCollection(
    rowcastCollectionOptions<{ readonly id: string }>({
      ...{ client: client as never, request: { query: 'subscription { tagChanged { action } }' }, key: 'id' },
    }),
  )
  await collection.preload()
  expect([collection.status, collection.size]).toEqual(['ready', 1])
  fail()
  await expect.poll(() => collection.status).toBe('error')
  expect(collection.size).toBe(1)
  expect(collection.utils.liveState()).toMatchObject({ status: 'ended', error: { code: 'FORBIDDEN' } })
})
