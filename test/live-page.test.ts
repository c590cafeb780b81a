/** What a service shows to whoever opens its address: in development, in production, and where the config says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  buildClientSchema,
  getIntrospectionQuery,
  type IntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
} from 'graphql'
import { expect, onTestFinished, test } from 'vitest'
import { catalog } from '../prisma/generated/rowcast.ts'
import { resolveConfig } from '../src/config/resolve-config.ts'
import { silentLogger } from '../src/logger.ts'
import { createService } from '../src/service.ts'

/** A service whose database never answers: what it serves does not depend on it. */
async function serve(more: object, nodeEnv?: string): Promise<string> {
  const createPrisma = () => ({ async $connect() {}, async $disconnect() {} })
  const env = { DATABASE_URL: 'postgresql://user@127.0.0.1:1/none', NODE_ENV: nodeEnv }
  const config = resolveConfig({ catalog, createPrisma, port: 0, public: true, ...more }, env)
  const service = await createService(config, { logger: silentLogger })
  const { url } = await service.start()
  onTestFinished(() => service.stop())
  return url
}

async function askStatus(url: string, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`${url}/graphql/activity`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: '{ rowcastStatus { slot } }' }),
  })
  return response.json()
}

/** The schema as a client finds it. */
async function introspect(url: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: getIntrospectionQuery({ specifiedByUrl: true }) }),
  })
  const { data } = (await response.json()) as { data: IntrospectionQuery }
  return printSchema(lexicographicSortSchema(buildClientSchema(data)))
}

const seen = { data: { rowcastStatus: { slot: 'rowcast_none' } } }
const hasPage = async (url: string) => !(await (await fetch(url)).text()).includes('There is nothing here')

test('in development the page and what it shows are there', async () => {
  const url = await serve({})
  expect(await hasPage(url)).toBe(true)
  expect(await askStatus(url)).toEqual(seen)
})

test.each([
  ['in production', {}, 'production'],
  ['where the config says no', { livePage: false }, undefined],
])('%s there is neither', async (_where, more, nodeEnv) => {
  const url = await serve(more, nodeEnv)
  expect(await hasPage(url)).toBe(false)
  expect(JSON.stringify(await askStatus(url))).toContain('NOT_FOUND')
})

test('in production with `authorize` only those see anything whom it lets', async () => {
  const url = await serve(
    {
      context: ({ headers }: { headers: Record<string, string> }) => ({
        context: { viewer: headers['x-viewer'] },
      }),
      livePage: { authorize: ({ viewer }: { viewer?: string }) => viewer === 'admin' },
    },
    'production',
  )
  expect(await askStatus(url, { 'x-viewer': 'admin' })).toEqual(seen)
  expect(await askStatus(url)).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] })
})

test('clients find the same schema in development, in production and printed', async () => {
  const live = Object.fromEntries(
    Object.values(catalog.models).flatMap(({ name, isOmitted }) => (isOmitted ? [] : [[name, {}]])),
  )
  const development = await introspect(await serve({ models: live }))
  const production = await introspect(await serve({ models: live, introspection: true }, 'production'))
  expect(development).toBe(production)
  expect(readFileSync(join(import.meta.dirname, '../schema.graphql'), 'utf8')).toContain(development.trim())
  expect(development).not.toContain('Rowcast')
})
