/** A tap's health server, whose logger throws wherever it is called: the process and its answers go on. */
import { expect, onTestFinished, test } from 'vitest'
import { createHealthServer } from '../../src/server/health/health-server.ts'
import type { MetricsPage } from '../../src/server/health/metrics-endpoint.ts'

function thrower(): never {
  throw new Error('the log is full')
}

const logger = { debug: thrower, info: thrower, warn: thrower, error: thrower }
const METRICS: MetricsPage = { text: () => 'up 1', contentType: 'text/plain', authorize: null }

async function open(metrics: MetricsPage, health = () => ({ isReady: true })) {
  const server = createHealthServer({ host: '127.0.0.1', port: 0, health, logger, metrics })
  const { url } = await server.listen()
  onTestFinished(() => server.close())
  return async (path: string) => (await fetch(url + path)).status
}

test.each<[string, MetricsPage, number]>([
  ['that cannot be written', { ...METRICS, text: thrower }, 500],
  ['whose guard throws', { ...METRICS, authorize: thrower }, 500],
  ['whose guard rejects', { ...METRICS, authorize: async () => thrower() }, 500],
  ['as they are', METRICS, 200],
])('metrics %s', async (_name, metrics, status) => {
  const statusOf = await open(metrics)
  expect([await statusOf('/metrics'), await statusOf('/health/live')]).toEqual([status, 200])
})

test('a health that throws, and requests that make no address', async () => {
  const statusOf = await open(METRICS, thrower)
  expect([await statusOf('/health/ready'), await statusOf('/health/live')]).toEqual([500, 200])
  expect([await statusOf('//'), await statusOf('/%')]).toEqual([404, 404])
})
