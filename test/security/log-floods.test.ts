/** What a client may have written into the log: its refusals are counted when they are too many, whatever it sends each time. */
import { request } from 'node:http'
import { expect, test } from 'vitest'
import { LogBudget } from '../../src/server/log-budget.ts'
import { startServer } from '../server/server-fixture.ts'
import { openRawSocket } from './raw-socket.ts'

/** The status of a request with headers that `fetch` does not let a program set. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/graphql?query={hello}`, { headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', reject).end()
  })
}

test('another origin and another host with each request are a few lines, on every transport', async () => {
  const { url, logged } = await startServer()
  for (let n = 0; n < 100; n += 1) {
    const origin = `https://${n}.example`
    expect(await statusOf(url, { origin })).toBe(403)
    expect(await statusOf(url, { host: `${n}.example` })).toBe(403)
    expect((await (await openRawSocket(url, { headers: { origin } })).ended).code).toBe(403)
  }
  const lines = logged.filter((line) => line.includes('"level":"warn"'))
  expect(lines).toHaveLength(50)
  expect(lines.filter((line) => line.includes('counted only'))).toHaveLength(1)
})

test('what was left out stands in the first line of the next minute', () => {
  let nowMs = 0
  const budget = new LogBudget(2, () => nowMs)
  const take = () => budget.take()?.leftOut
  expect([take(), budget.take(), take(), take()]).toEqual([
    0,
    { leftOut: 0, isLast: true },
    undefined,
    undefined,
  ])
  nowMs = 59_999
  expect(take()).toBeUndefined()
  nowMs = 60_000
  expect([take(), take(), take()]).toEqual([3, 0, undefined])
})
