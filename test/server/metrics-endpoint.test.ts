/** `/metrics`: for those who may, and nothing at all for everybody else. */
import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { bearerGuard, type MetricsGuard } from '../../src/server/health/metrics-endpoint.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { startServer } from './server-fixture.ts'

const SECRET = 'rowcast_ready 1'

async function scrape(authorize: MetricsGuard, headers: Record<string, string> = {}, method = 'GET') {
  const { url, logged } = await startServer({
    limits: { connectionInitTimeoutMs: 300 },
    metrics: {
      text: () => `${SECRET}\n`,
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      authorize,
    },
  })
  const response = await fetch(`${url}/metrics`, { headers, method })
  return { status: response.status, headers: response.headers, body: await response.text(), logged }
}

describe('/metrics', () => {
  it('is not there unless asked for', async () => {
    const { url } = await startServer()
    const response = await fetch(`${url}/metrics`)
    expect([response.status, await response.text()]).toEqual([404, expect.not.stringContaining('metric')])
  })

  it('serves the text to whoever may', async () => {
    const open = await scrape(null)
    expect(open).toMatchObject({ status: 200, body: `${SECRET}\n` })
    expect(open.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(open.headers.get('cache-control')).toBe('no-store')
    expect(await scrape(null, {}, 'HEAD')).toMatchObject({ status: 200, body: '' })
    const guard = bearerGuard('tok-1')
    expect(await scrape(guard, { authorization: 'Bearer tok-1' })).toMatchObject({ status: 200 })
  })

  it.each([
    ['nothing', {}],
    ['another token', { authorization: 'Bearer tok-2' }],
    ['a part of it', { authorization: 'Bearer tok-' }],
    ['the token alone', { authorization: 'tok-1' }],
    ['it as a password', { authorization: `Basic ${btoa('user:tok-1')}` }],
    ['a cookie', { cookie: 'authorization=Bearer tok-1' }],
  ])('refuses %s', async (_name, headers) => {
    const refused = await scrape(bearerGuard('tok-1'), headers as Record<string, string>)
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    expect(refused.body).not.toContain('rowcast')
  })

  it('shows its guard where the request comes from, and takes nothing but true for a yes', async () => {
    const seen: string[] = []
    const refused = await scrape((({ remoteAddress }: { remoteAddress: string }) => {
      seen.push(remoteAddress)
      return 'yes'
    }) as unknown as MetricsGuard)
    expect([refused.status, seen]).toEqual([401, ['127.0.0.1']])
  })

  it('says nothing of a guard that throws, but to the log', async () => {
    const failed = await scrape(() => Promise.reject(new Error('ldap://user:password@host failed')))
    expect(failed.status).toBe(500)
    expect(failed.body + failed.logged.join()).not.toContain('ldap')
    expect(failed.logged).toEqual([expect.stringContaining('Could not read the metrics')])
  })

  it('waits for its guard no longer than for a context', async () => {
    const late = await scrape(() => new Promise(() => undefined))
    expect([late.status, late.body]).toEqual([503, '{"error":"CONTEXT_TIMEOUT"}\n'])
    expect(late.logged).toEqual([expect.stringContaining('CONTEXT_TIMEOUT')])
  })
})

describe('metrics and debug in the config file', () => {
  const PRODUCTION = { NODE_ENV: 'production' }
  const resolve = (fields: object, env: Record<string, string> = {}) =>
    resolveConfig(
      { catalog: blogCatalog, createPrisma: () => ({}), public: true, ...fields },
      { DATABASE_URL: 'postgresql://user@localhost/db', ...env },
    )

  it('are on in development and off in production', () => {
    expect(resolve({}).metrics).toEqual({ authorize: null })
    expect(resolve({}, PRODUCTION).metrics).toBeNull()
    expect(resolve({ metrics: false }).metrics).toBeNull()
    expect(resolve({}).canExplain).toBeNull()
  })

  it('are never open to everybody in production', () => {
    expect(() => resolve({ metrics: true }, PRODUCTION)).toThrow(/open to everybody.*METRICS_TOKEN/)
  })

  it('ask for METRICS_TOKEN wherever it is set', async () => {
    for (const env of [{}, PRODUCTION]) {
      for (const fields of [{}, { metrics: true }]) {
        const guard = resolve(fields, { ...env, METRICS_TOKEN: 'tok-1' }).metrics?.authorize
        const ask = (authorization: string) => guard?.({ headers: { authorization }, remoteAddress: '::1' })
        expect([ask('Bearer tok-1'), ask('Bearer tok-2')]).toEqual([true, false])
      }
    }
    expect(resolve({ metrics: false }, { METRICS_TOKEN: 'tok-1' }).metrics).toBeNull()
  })

  it('take a function, and nothing else', () => {
    const authorize = () => true
    expect(resolve({ metrics: { authorize } }, PRODUCTION).metrics?.authorize).toBeTypeOf('function')
    expect(() => resolve({ metrics: 'yes' })).toThrow(/`metrics` cannot be used/)
    expect(resolve({ debug: { canExplain: authorize } }, PRODUCTION).canExplain).toBeTypeOf('function')
    expect(() => resolve({ debug: true })).toThrow(/`debug` cannot be used/)
  })
})
