/** A subscription that resumes begins with `changeCursor`: a server that says when to come again is asked again. */
import { expect, it } from 'vitest'
import type { ChangeClient } from '../../src/client/change-client.ts'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'

const REQUEST = { query: 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor } }' }

/** A client whose server answers `changeCursor` with these errors first, and each subscription with one change. */
function clientOf(refusals: object[]) {
  const asked: unknown[] = []
  const client = {
    subscribe({ query, variables }, sink) {
      queueMicrotask(() => {
        const extensions = refusals[0]
        if (query.startsWith('subscription')) {
          asked.push(variables?.['after'])
          sink.next({ data: { tagChanged: { cursor: 'c2' } } as never })
        } else if (extensions === undefined) sink.next({ data: { changeCursor: 'c1' } as never })
        else {
          refusals.shift()
          sink.error([{ message: 'Not now.', extensions }])
          return
        }
        sink.complete()
      })
      return () => undefined
    },
  } as ChangeClient
  return { client, asked }
}

it('at the time that it says, and then the subscription begins', async () => {
  const again = { code: 'NO_STREAM_YET', retryAfterMs: 1 }
  const { client, asked } = clientOf([again, again])
  const changes: unknown[] = []
  for await (const change of subscribeResumable(client, REQUEST)) changes.push(change)
  expect([changes, asked]).toEqual([[{ tagChanged: { cursor: 'c2' } }], ['c1']])
})

it('and not where it says nothing of coming again', async () => {
  const { client } = clientOf([{ code: 'FORBIDDEN' }])
  await expect(subscribeResumable(client, REQUEST).next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
})
