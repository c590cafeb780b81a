/**
 * Each limit of the server is reached, on each way in that it concerns: the same client sees what docs/security.md says where the limit is
 * small, and nothing of it where it is not. Those that need rows are in `limits-reached.pg.test.ts`.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { readMetadata } from '../../src/changes/transaction-metadata.ts'
import type { ServerOptions } from '../../src/server/create-server.ts'
import { KeptSets } from '../../src/sets/kept-sets.ts'
import { NOTHING, PATIENCE_MS } from './limits/reach.ts'
import { endlessSource, hangs, SERVER_REACHES, type ServerReach } from './limits/server-reaches.ts'
import { startProbe } from './transports.ts'

/** What a context takes that takes its time. */
const CONTEXT_MS = 300

const SERVED: Readonly<Record<NonNullable<ServerReach['served']>, () => Partial<ServerOptions>>> = {
  introspection: () => ({ introspection: true }),
  proxied: () => ({ trustedProxyCount: 1 }),
  'hanging context': () => ({
    context: ({ headers }) => {
      if (headers.authorization !== 'Bearer hang') return { context: {} }
      hangs.count += 1
      return new Promise(() => undefined)
    },
  }),
  'slow context': () => ({ context: () => delay(CONTEXT_MS, { context: {} }) }),
  revoked: () => ({ context: () => ({ context: {}, revalidate: () => false }) }),
  endless: () => ({}),
}

const REACHES: readonly (readonly [string, ServerReach])[] = Object.entries(SERVER_REACHES)

describe.each(REACHES)('%s', (_, { small, large, over, sees, served, attempt }) => {
  const start = (limits: ServerReach['small']) => {
    hangs.count = 0
    const options = served === undefined ? {} : SERVED[served]()
    return startProbe({ ...options, limits }, served === 'endless' ? endlessSource() : undefined)
  }
  test.each(over.map((transport) => [transport.name, transport] as const))(
    'is reached over %s',
    async (_name, transport) => {
      expect(await attempt(await start(small), transport, PATIENCE_MS.small)).toBe(sees(transport))
      expect(await attempt(await start(large), transport, PATIENCE_MS.large)).toBe(NOTHING)
    },
    60_000,
  )
})

describe('what has no option', () => {
  test('address and headers', async () => {
    const { url } = await startProbe()
    for (const [path, header, status] of [
      ['/health/live', 'x'.repeat(15_000), 200],
      ['/health/live', 'x'.repeat(17_000), 431],
      [`/health/live?${'x'.repeat(17_000)}`, '', 431],
    ] as const)
      expect((await fetch(`${url}${path}`, { headers: { 'x-long': header } })).status).toBe(status)
  })

  test('different live lists and totals', () => {
    const sets = new KeptSets(1_000_000)
    const open = (key: string) =>
      sets.join(
        key,
        { account: null, filterCost: 0, everyMs: 0 },
        () => ({ subscribe: () => ({ key, whenLeft: () => undefined }), isEnded: false }) as never,
      )
    for (let n = 0; n < 1_000; n += 1) open(`list ${n}`)
    expect(() => open('one more')).toThrow('[LIST_TOO_COSTLY]')
    expect(open('list 7')).toHaveProperty('key', 'list 7')
  })

  test('relations one behind the other', () => {
    const chain = (hops: number): object => {
      if (hops === 0) return { email: { equals: 'x' } }
      return hops % 2 === 1 ? { author: { is: chain(hops - 1) } } : { posts: { some: chain(hops - 1) } }
    }
    const parse = (hops: number) =>
      parseWhere(catalog.models['Post'] as ModelSpec, catalog, chain(hops), { relations: {} })
    expect(parse(3)).toBeDefined()
    expect(() => parse(5)).toThrow('[BAD_FILTER]')
  })

  test('metadata of a transaction', () => {
    const text = (length: number) => Buffer.from(JSON.stringify({ actor: 'x'.repeat(length) }))
    expect(readMetadata(text(8_000)).fault).toBeUndefined()
    expect(readMetadata(text(8_200)).fault).toBeDefined()
    expect(readMetadata(Buffer.from(`${'{"a":'.repeat(32)}1${'}'.repeat(32)}`)).fault).toBeUndefined()
    expect(readMetadata(Buffer.from(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`)).fault).toBeDefined()
  })
})
