/** What the kit asks of a server for the time of a restart. */
import { createClient } from 'graphql-ws'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { queryChangeCursor } from '../../src/client/change-client.ts'
import {
  type ConnectionParams,
  resumingConnectionParams,
} from '../../src/client/resuming-connection-params.ts'
import { startServer } from '../server/server-fixture.ts'

const RESUMES = { rowcast: { resumes: true } }

it.each<[string, ConnectionParams | undefined, object]>([
  ['none', undefined, RESUMES],
  ['a token', { token: 't' }, { token: 't', ...RESUMES }],
  ['a function', () => ({ token: 't' }), { token: 't', ...RESUMES }],
  ['a function that waits', () => Promise.resolve({ token: 't' }), { token: 't', ...RESUMES }],
  ['a function without an answer', () => undefined, RESUMES],
  ['others of rowcast', { rowcast: { other: 1, resumes: false } }, { rowcast: { other: 1, resumes: true } }],
  ['no object where one belongs', { rowcast: null }, RESUMES],
])('parameters of the client itself are kept: %s', async (_what, own, expected) => {
  expect(await resumingConnectionParams(own)()).toEqual(expected)
})

it('a function is asked again for each connection, and the server gets what it says', async () => {
  const seen: unknown[] = []
  const { url } = await startServer({
    context: (source) => {
      seen.push(source.kind === 'websocket' ? source.connectionParams : source.kind)
      return { context: {} }
    },
  })
  let token = 0
  const client = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: resumingConnectionParams(() => {
      token += 1
      return { token }
    }),
  })
  // This server has no such field; the socket was opened all the same.
  await expect(queryChangeCursor(client)).rejects.toThrow('changeCursor')
  await expect.poll(() => seen.length).toBe(1)
  client.terminate()
  await expect(queryChangeCursor(client)).rejects.toThrow('changeCursor')
  expect(seen).toEqual([
    { token: 1, ...RESUMES },
    { token: 2, ...RESUMES },
  ])
  await client.dispose()
})
