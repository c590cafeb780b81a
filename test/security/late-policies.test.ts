/** Policies that never answer: who is asked about is refused in time, with an error that says to try again, on every transport; others never notice. */
import { expect, test, vi } from 'vitest'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import type { ModelExposure } from '../../src/graphql/service-types.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { startServer } from '../server/server-fixture.ts'
import { type Answer, STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

const SUBSCRIPTION = 'subscription { userChanged { action new { email } } }'
const QUERY = '{ users { email } }'

/** The answer, but to a viewer of that name none, ever. */
const late =
  <Answer>(answer: Answer) =>
  (context: object): Answer | Promise<never> =>
    Reflect.get(context, 'name') === 'late' ? new Promise<never>(() => undefined) : answer

const POLICIES: Readonly<Record<string, ModelExposure>> = {
  rows: { rows: late('all' as const) },
  fields: { fields: late('all' as const) },
  canSubscribe: { canSubscribe: late(true) },
  dependsOn: { rows: () => 'all', dependsOn: late({}) },
}

async function serve(models: Readonly<Record<string, ModelExposure>>, showMetadata?: object) {
  const feed = createFakeFeed(blogCatalog, ['User', 'Post'])
  const schema = buildServiceSchema({
    ...{ catalog: blogCatalog, prisma: createRecordingPrisma({ 'user.findMany': () => [] }), feed, models },
    ...(showMetadata as { showMetadata?: never } | undefined),
  })
  const fixture = await startServer({
    schema,
    limits: { queryTimeoutMs: 60 },
    context: (source) => {
      const token =
        source.kind === 'websocket' ? source.connectionParams['token'] : source.headers.authorization
      return { context: { name: String(token).replace('Bearer ', '') } }
    },
  })
  return { ...fixture, feed }
}

function expectRefused({ data, errors }: Answer): void {
  expect(data).toBeNull()
  expect(errors).toMatchObject([{ extensions: { code: 'POLICY_TIMEOUT' } }])
  // Which policy it is, and of which model, is for the log.
  expect(JSON.stringify(errors)).not.toMatch(/rows|fields|canSubscribe|dependsOn|metadata/)
}

test.each(Object.entries(POLICIES))('%s', async (name, policy) => {
  const { url, feed, logged } = await serve({ User: policy, Post: {} })
  const others = await Promise.all(
    STREAM_TRANSPORTS.map(({ open }) => open(url, SUBSCRIPTION, { token: 'good' })),
  )
  await vi.waitUntil(() => feed.requests.length === others.length, 30_000)
  const isOfQueries = name === 'rows' || name === 'fields'
  await Promise.all([
    ...STREAM_TRANSPORTS.map(async ({ ask }) =>
      expectRefused(await ask(url, SUBSCRIPTION, { token: 'late' })),
    ),
    ...TRANSPORTS.map(async ({ ask }) => {
      if (isOfQueries) expectRefused(await ask(url, QUERY, { token: 'late' }))
      expect((await ask(url, QUERY, { token: 'good' })).errors).toEqual([])
    }),
  ])
  expect(logged.some((line) => line.includes(`User.${name}`))).toBe(true)
  feed.commit({ action: 'INSERT', new: { id: 'a', email: 'ada@x' } })
  for (const other of others) {
    expect(await other.next()).toMatchObject({ data: { userChanged: { new: { email: 'ada@x' } } } })
    await other.leave()
  }
})

test('who sees what of metadata', async () => {
  const { url } = await serve({ User: {}, Post: {} }, { showMetadata: { fields: late(['actor']) } })
  await Promise.all(
    STREAM_TRANSPORTS.map(async ({ ask }) => expectRefused(await ask(url, SUBSCRIPTION, { token: 'late' }))),
  )
})
