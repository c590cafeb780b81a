/** What a connection over HTTP holds counts until its client has taken it, and not longer. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { countResponses } from '../../src/server/limits/counted-response.ts'
import { SocketBudget } from '../../src/server/limits/socket-budget.ts'

/** Less than what makes Node.js say when a socket has taken everything. */
const ANSWER_BYTES = 12_000

/** A server whose answers count, with a client that has connected. */
async function connectToCounted(answer: RequestListener) {
  const budget = new SocketBudget(100_000_000)
  const ServerResponse = countResponses(budget, createGuard(silentLogger))
  const http = createServer({ ServerResponse, keepAliveTimeout: 600_000 }, answer).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const client = connect((http.address() as AddressInfo).port, '127.0.0.1')
  onTestFinished(() => {
    client.destroy()
    http.close()
  })
  return { budget, client }
}

test('what a stream has written counts no more once it was taken', async () => {
  const { budget, client } = await connectToCounted((_request, response) => {
    response.write('x'.repeat(1_000))
  })
  client.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await once(client, 'data')
  await expect.poll(() => budget.bytes).toBe(0)
})

test('a little that a kept-alive connection held counts no more once it was taken', async () => {
  let answered = 0
  const { budget, client } = await connectToCounted((_request, response) => {
    response.end('x'.repeat(ANSWER_BYTES))
    answered += 1
  })
  client.pause()
  // The system takes the first ones; until one has to wait.
  for (let asked = 1; budget.bytes === 0 && asked < 5_000; asked += 1) {
    client.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    while (answered < asked) await turn()
  }
  expect(budget.bytes).toBeGreaterThan(0)
  client.resume()
  await expect.poll(() => budget.bytes).toBe(0)
}, 30_000)
