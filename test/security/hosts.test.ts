/** Under which names the server answers: a page that rebinds its own name to this machine gets nothing. */
import { request } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { ServerOptions } from '../../src/server/create-server.ts'
import { createHostGuard } from '../../src/server/http/host-guard.ts'
import { openRawSocket } from './raw-socket.ts'
import { startProbe } from './transports.ts'

/** Asks under a name; fetch would not let it. */
function ask(url: string, host: string, path = '/graphql'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host, 'content-type': 'application/json', accept: 'application/json' }
    const sent = request(`${url}${path}`, { method: 'POST', headers }, (response) => {
      let body = ''
      response.on('data', (bytes) => {
        body += String(bytes)
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    sent.on('error', reject)
    sent.end(JSON.stringify({ query: '{ hello }' }))
  })
}

const context: ServerOptions['context'] = () => ({ context: {} })

describe.each<[string, Partial<ServerOptions>, string[], string[]]>([
  [
    'without a context',
    {},
    ['127.0.0.1:4000', 'localhost:4000', 'app.localhost', '[::1]:4000', '10.0.0.1'],
    ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'x', 'xlocalhost'],
  ],
  ['with a context', { context }, ['evil.example', 'localhost'], []],
  [
    'with hosts that are named',
    { context, allowedHosts: ['app.example.com', '.example.org'] },
    ['app.example.com', 'APP.example.com:8080', 'app.example.com.', 'a.b.example.org', 'localhost'],
    ['example.com', 'evil.app.example.com', 'example.org', 'evilexample.org'],
  ],
  ['with all hosts', { allowedHosts: ['*'] }, ['evil.example'], []],
])('%s', (_name, options, allowed, refused) => {
  test('HTTP and WebSocket are for the same hosts', async () => {
    const { url, logged } = await startProbe(options)
    for (const host of allowed) {
      expect(await ask(url, host)).toMatchObject({ status: 200, body: '{"data":{"hello":"world"}}' })
      const { socket } = await openRawSocket(url, { headers: { host } })
      expect(socket.readyState).toBe(socket.OPEN)
    }
    for (const host of refused) {
      const answer = await ask(url, host)
      expect(answer.status).toBe(403)
      expect(JSON.parse(answer.body)).toMatchObject({
        errors: [{ extensions: { code: 'HOST_NOT_ALLOWED', hint: expect.stringContaining('allowedHosts') } }],
      })
      expect((await (await openRawSocket(url, { headers: { host } })).ended).code).toBe(403)
      // Once, and not once for each request.
      expect(logged.filter((line) => line.includes(`"host":${JSON.stringify(host)}`))).toHaveLength(1)
      expect((await ask(url, host, '/health/live')).status).toBe(200)
    }
  })
})

test('the name that the server listens on is its own', () => {
  const guard = createHostGuard({ allowedHosts: undefined, hasContext: false, host: 'db.internal' })
  expect(guard.isAllowed('db.internal:4000')).toBe(true)
  expect(guard.isAllowed('other.internal')).toBe(false)
  expect(guard.isAllowed(undefined)).toBe(true)
})
