/** A server that stops, or stands by, says where to go on: the next attempt does, even if no change has come for long. */
import type { Client, Sink, SubscribePayload } from 'graphql-ws'
import { expect, it } from 'vitest'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'

/** A client whose server answers each subscription as the test says. */
function fakeClient(answers: readonly ((sink: Sink) => void)[]) {
  const asked: unknown[] = []
  const subscribe = (payload: SubscribePayload, sink: Sink): (() => void) => {
    const answer = answers[asked.length]
    asked.push(payload.variables?.['after'])
    queueMicrotask(() => answer?.(sink))
    return () => undefined
  }
  return { asked, client: { subscribe } as unknown as Client }
}

it.each(['SERVER_STOPPING', 'SERVER_STANDING_BY'])('goes on after the cursor of %s', async (code) => {
  const stopping = (extensions: object) => (sink: Sink) =>
    sink.error([{ message: 'The server is stopping.', extensions: { code, ...extensions } }])
  const { asked, client } = fakeClient([
    stopping({ cursor: 'newer', retryAfterMs: 1 }),
    // An older server says less.
    stopping({}),
    (sink) => {
      sink.next({ data: { tagChanged: { cursor: 'newest' } } })
      sink.complete()
    },
  ])
  const seen: object[] = []
  for await (const data of subscribeResumable(client, { query: 'subscription' }, { after: 'old' }))
    seen.push(data)
  expect(asked).toEqual(['old', 'newer', 'newer'])
  expect(seen).toEqual([{ tagChanged: { cursor: 'newest' } }])
})
