/** An application's own HTTP handler beside GraphQL, on one port. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { rawGet } from '../support/raw-get.ts'
import { postGraphql, startServer } from './server-fixture.ts'

const echo = async (request: IncomingMessage, response: ServerResponse) => {
  response.setHeader('x-path', request.url ?? '')
  response.end(`${request.method} ${await text(request)}`)
}

it('gets what is none of rowcast’s, with its body, and nothing else', async () => {
  const { url } = await startServer({ otherRequests: echo, graphiql: false })
  const answer = await fetch(`${url}/api/auth?a=1`, { method: 'POST', body: 'body' })
  expect([answer.headers.get('x-path'), await answer.text()]).toEqual(['/api/auth?a=1', 'POST body'])
  expect((await postGraphql(url, '{ __typename }')).body).toEqual({ data: { __typename: 'Query' } })
  const health = await fetch(`${url}/health/live`)
  expect([health.status, health.headers.get('x-path')]).toEqual([200, null])
})

it('is behind the guard of hosts: no page of another name reads it', async () => {
  const { url } = await startServer({ otherRequests: echo })
  expect((await rawGet(`${url}/api/auth`, { host: 'evil.example' })).headers['x-path']).toBeUndefined()
  expect((await rawGet(`${url}/api/auth`, {})).headers['x-path']).toBe('/api/auth')
})

it('what it throws is 500 and in the log', async () => {
  const failing = () => {
    throw new Error('broken')
  }
  const { url, logged } = await startServer({ otherRequests: failing })
  expect((await fetch(`${url}/`)).status).toBe(500)
  expect(logged.join()).toContain('failing')
  const rejecting = await startServer({ otherRequests: async () => failing() })
  expect((await fetch(`${rejecting.url}/`)).status).toBe(500)
})

it('without one there is nothing', async () => {
  const { url } = await startServer()
  expect((await fetch(`${url}/api/auth`)).status).toBe(404)
})
