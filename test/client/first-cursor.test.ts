/** A subscription that resumes begins with `changeCursor`: a server that says when to come again is asked again. */
import { createClient } from 'graphql-ws'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type ChangeClient, queryChangeCursor } from '../../src/client/change-client.ts'
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

/** graphql-ws's, offline: nobody listens at port 1, and its first wait has begun when `isWaiting` resolves. */
function offlineClient() {
  const waits = { begun: 0 }
  const client = createClient({
    url: 'ws://127.0.0.1:1/graphql',
    webSocketImpl: WebSocket,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: () => {
      waits.begun += 1
      return new Promise(() => undefined)
    },
  })
  return { client, isWaiting: () => expect.poll(() => waits.begun).toBe(1) }
}

it('a signal ends the waiting for it while the client is offline', async () => {
  const { client, isWaiting } = offlineClient()
  const stop = new AbortController()
  const cursor = queryChangeCursor(client, stop.signal)
  await isWaiting()
  stop.abort()
  await expect(cursor).rejects.toMatchObject({ name: 'SubscriptionError' })
})

it('and that of a subscription, the first as one that goes on after a cursor', async () => {
  for (const options of [{}, { after: 'c1' }]) {
    const { client, isWaiting } = offlineClient()
    const stop = new AbortController()
    const next = subscribeResumable(client, REQUEST, { ...options, signal: stop.signal }).next()
    await isWaiting()
    stop.abort()
    expect(await next).toEqual({ done: true, value: undefined })
  }
})
