/** What a client may have written into the log: its refusals are counted when they are too many, whatever it sends each time. */
import { request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { FailureLog, LogBudget } from '../../src/log-line-budget.ts'
import type { LogFields } from '../../src/logger.ts'
import { startServer } from '../server/server-fixture.ts'
import { openRawSocket } from './raw-socket.ts'
import { startProbe, TRANSPORTS } from './transports.ts'

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

const thrower = () => {
  throw new Error('password=hunter2')
}

describe.each(TRANSPORTS)('over $name', ({ ask }) => {
  test.each([
    ['a context that throws', { context: thrower }, '{ hello }'],
    ['a resolver that throws', {}, '{ fails }'],
  ])('%s is a few lines, and the log has each id that a client was given', async (_, options, query) => {
    const { url, logged } = await startProbe(options)
    const answers = await Promise.all(Array.from({ length: 80 }, () => ask(url, query)))
    const lines = logged.filter((line) => line.includes('"level":"error"'))
    expect(lines).toHaveLength(50)
    expect(lines.filter((line) => line.includes('counted only'))).toHaveLength(1)
    const ids = answers.flatMap(({ errors }) => errors.map(({ extensions }) => extensions?.['id']))
    for (const id of new Set(ids)) expect(lines.join()).toContain(`"errorId":"${id}"`)
  })
})

test('failures of one kind leave room for those of others, and what was left out is counted', () => {
  let nowMs = 0
  const lines: LogFields[] = []
  const failures = new FailureLog({ error: (_, fields = {}) => lines.push(fields) }, () => nowMs)
  const frequent = new Error('again')
  const ids = Array.from({ length: 60 }, () => failures.report('It failed.', frequent))
  expect(ids.slice(50)).toEqual(Array.from({ length: 10 }, () => ids[49]))
  failures.report('It failed.', new TypeError('for once'))
  expect(lines.map(({ error }) => error).slice(49)).toEqual(['Error', 'TypeError'])
  nowMs = 60_000
  failures.report('It failed.', frequent)
  expect(lines.at(-1)).toMatchObject({ error: 'Error', leftOut: 10 })
})

test('a logger that throws leaves an id', () => {
  const failures = new FailureLog({ error: thrower })
  expect(failures.report('It failed.', new Error('x'))).toMatch(/^[0-9a-f-]{36}$/)
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
