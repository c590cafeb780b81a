/** Subscriptions that share their results show each viewer what it would be shown alone, on both transports. */
import fc from 'fast-check'
import { type ExecutionResult, GraphQLError, parse, subscribe } from 'graphql'
import { describe, expect, test } from 'vitest'
import type { AnyChange } from '../../src/changes/change.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveries, type Deliveries } from '../../src/server/delivery/deliveries.ts'
import { formatResult } from '../../src/server/delivery/result-text.ts'
import { SocketOutbox } from '../../src/server/delivery/socket-outbox.ts'
import { RESULT_TEXT, ResultStream } from '../../src/server/delivery/subscription-results.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { type RandomSubscription, subscriptionArbitrary } from '../support/subscription-arbitrary.ts'
import { createFrameSocket, type FrameSocket } from './frame-socket.ts'

const guard = createGuard(silentLogger)

/** Who somebody is, to the policies. */
interface Viewer {
  readonly rows: 'all' | 'none' | object
  readonly fields: 'all' | readonly string[]
  readonly authors: 'all' | 'none' | object
}

/** Answers that show the query: whoever gets another viewer's result gets another viewer's policy with it. */
const tellingPrisma = () => {
  const author = (query: Record<string, unknown>) => ({
    ...{ id: 'u', email: JSON.stringify(query['where']), bio: null, role: 'ADMIN', tags: [] },
    ...{ balance: '1', createdAt: new Date(0) },
  })
  return createRecordingPrisma({ 'user.findUnique': author, 'user.findFirst': author })
}

function createWorld() {
  const feed = createFakeFeed(blogCatalog, ['Post'])
  const prisma = tellingPrisma()
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma,
    feed,
    models: {
      Post: {
        rows: (context) => (context as Viewer).rows as 'all',
        fields: (context) => (context as Viewer).fields as 'all',
      },
      User: { live: false, rows: (context) => (context as Viewer).authors as 'all' },
    },
  })
  return { feed, prisma, schema }
}

/** Errors as they are: what a mask does to them is tested elsewhere. */
const mask = (error: unknown) => (error instanceof GraphQLError ? error : new GraphQLError(String(error)))

/** One way to get results, to the end of the source. */
type Collect = (
  deliveries: Deliveries,
  args: Parameters<Deliveries['subscribe']>[0],
) => Promise<() => Promise<string[]>>

/** One by one, as an event stream asks for them. */
const asEvents: Collect = async (deliveries, args) => {
  const stream = await deliveries.subscribe(args)
  if (!(stream instanceof ResultStream)) return () => Promise.resolve([formatResult(stream, mask).text])
  const texts: string[] = []
  const reading = (async () => {
    for await (const result of stream) texts.push(result[RESULT_TEXT]?.text ?? 'no text')
  })()
  return async () => {
    await reading
    return texts
  }
}

function outboxOf(deliveries: Deliveries, socket: FrameSocket, bufferedBytesMax = 1_000_000): SocketOutbox {
  const { frames, turn } = deliveries
  return new SocketOutbox({
    guard,
    socket: socket.socket,
    webSocket: socket.webSocket,
    bufferedBytesMax,
    frames,
    turn,
  })
}

/** As frames. */
const asFrames: Collect = async (deliveries, args) => {
  const stream = await deliveries.subscribe(args)
  if (!(stream instanceof ResultStream)) return () => Promise.resolve([formatResult(stream, mask).text])
  const socket = createFrameSocket()
  stream.sendTo({ outbox: outboxOf(deliveries, socket), id: '"né', payloadBytesMax: 1_000_000 })
  const reading = stream.next()
  return async () => {
    await reading
    return socket.messages.map(({ id, type, payload }) => {
      expect([id, type]).toEqual(['"né', 'next'])
      return JSON.stringify(payload)
    })
  }
}

/** What graphql-js makes for this viewer and nobody else. */
const alone: Collect = async (_deliveries, args) => {
  const results = await subscribe(args)
  if (!(Symbol.asyncIterator in results)) return () => Promise.resolve([formatResult(results, mask).text])
  const texts: string[] = []
  const reading = (async () => {
    for await (const result of results as AsyncIterable<ExecutionResult>)
      texts.push(formatResult(result, mask).text)
  })()
  return async () => {
    await reading
    return texts
  }
}

const title = fc.constantFrom('a', 'b', 'c')
const row = fc.record({
  ...{ id: fc.nat(3), authorId: fc.option(fc.constantFrom('u', 'v')), title, body: fc.string() },
  ...{ views: fc.constantFrom(1n, 2n), layout: fc.constantFrom(null, { a: 1 }), parentId: fc.constant(null) },
})
const change: fc.Arbitrary<Partial<AnyChange>> = fc
  .tuple(fc.constantFrom('INSERT' as const, 'UPDATE' as const, 'DELETE' as const), row, row)
  .map(([action, before, after]) => {
    const old = action === 'INSERT' ? null : before
    const current = action === 'DELETE' ? null : after
    const names = Object.keys(before) as (keyof typeof before)[]
    return {
      ...{ model: 'Post', action, old, new: current, key: { id: (current ?? before).id }, unavailable: [] },
      changed: action === 'UPDATE' ? names.filter((name) => before[name] !== after[name]) : [],
    }
  })
const rule = fc.constantFrom(
  'all' as const,
  'none' as const,
  { title: 'a' },
  { title: { in: ['a', 'b'] } },
  { views: 2 },
)
const viewer: fc.Arbitrary<Viewer> = fc.record({
  rows: rule,
  fields: fc.constantFrom(
    'all' as const,
    ['id', 'title', 'authorId', 'parentId'],
    ['id', 'body', 'views', 'authorId'],
  ),
  authors: fc.constantFrom('all' as const, 'none' as const, { role: { equals: 'ADMIN' } }),
})

const EXCEPT = new Set(['posts', 'profile', 'memberships', 'parent', 'replies', 'tags'])
const ROOT_ARGUMENTS = '(where: { id: { gte: $min } })'

/** The same subscription with a filter of each viewer's own, which must not split a group. */
function withFilter({ source, variables }: RandomSubscription, min: number): RandomSubscription {
  return {
    source: source
      .replace('$no: Boolean!)', '$no: Boolean!, $min: Int!)')
      .replace('postChanged {', `postChanged${ROOT_ARGUMENTS} {`),
    variables: { ...variables, min },
  }
}

async function runAll(
  collect: Collect,
  members: readonly (RandomSubscription & { readonly context: Viewer })[],
  transactions: readonly (readonly Partial<AnyChange>[])[],
) {
  const { feed, schema } = createWorld()
  const deliveries = createDeliveries({ guard, mask })
  const documents = new Map<string, ReturnType<typeof parse>>()
  const collected: (() => Promise<string[]>)[] = []
  for (const { source, variables, context } of members) {
    const document = documents.get(source) ?? parse(source)
    documents.set(source, document)
    const args = { schema, document, contextValue: { ...context }, variableValues: { ...variables } }
    collected.push(await collect(deliveries, args))
  }
  const groups = deliveries.groups.size
  for (const changes of transactions) {
    feed.commit(...changes)
    await new Promise((resolve) => setImmediate(resolve))
  }
  feed.close()
  const texts = await Promise.all(collected.map((finish) => finish()))
  return { texts, groups, groupsAfter: deliveries.groups.size }
}

/** More with ROWCAST_LONG=1. */
const RUNS = process.env['ROWCAST_LONG'] === '1' ? 400 : 100

describe('shared delivery', () => {
  /** Selections in which policies and variables show. */
  const showing = fc.constantFrom(
    'changed',
    'changed unavailable transition key { rowId } new { id } old { authorId }',
    'new { id author { email } } old { rowId author { email } }',
    'transition new { id body @include(if: $yes) title @include(if: $no) }',
    'action @skip(if: $no) changed @include(if: $yes)',
  )
  const variables = fc.oneof(
    fc.record({ yes: fc.boolean(), no: fc.boolean() }),
    fc.record({ no: fc.boolean() }),
  )

  test('shows each viewer what it is shown alone, for any policies, documents and variables', async () => {
    const { schema } = createWorld()
    const random = subscriptionArbitrary(schema, { field: 'postChanged', except: EXCEPT })
    const head = 'subscription ($yes: Boolean! = true, $no: Boolean!)'
    const guard = '... @include(if: $yes) @skip(if: $no) { __typename }'
    const document = fc.oneof(
      random.map(({ source }) => source),
      showing.map((selection) => `${head} { postChanged { ${guard} ${selection} } }`),
    )
    let sharedRuns = 0
    let resultCount = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(viewer, { minLength: 1, maxLength: 3 }),
        fc.array(document, { minLength: 1, maxLength: 2 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(1), variables), {
          minLength: 2,
          maxLength: 8,
        }),
        fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
        async (viewers, documents, picks, transactions) => {
          const members = picks.map(([who, what, min, its]) => ({
            ...withFilter({ source: documents[what % documents.length] ?? '', variables: its }, min),
            context: viewers[who % viewers.length] as Viewer,
          }))
          const expected = await runAll(alone, members, transactions)
          for (const collect of [asEvents, asFrames]) {
            const { texts, groups, groupsAfter } = await runAll(collect, members, transactions)
            expect(texts).toEqual(expected.texts)
            expect(groupsAfter).toBe(0)
            resultCount += texts.flat().filter((text) => text.startsWith('{"data":{')).length
            if (groups > 0 && groups < members.length) sharedRuns += 1
          }
        },
      ),
      { numRuns: RUNS },
    )
    expect(sharedRuns).toBeGreaterThan(RUNS / 2)
    expect(resultCount).toBeGreaterThan(RUNS * 2)
  }, 300_000)

  test('loads relations once for a change and a group, over both transports together', async () => {
    const source = 'subscription { postChanged { new { title author { email } } } }'
    const openTo: Viewer = { rows: 'all', fields: 'all', authors: 'all' }
    const onlyAdmins: Viewer = { ...openTo, authors: { role: { equals: 'ADMIN' } } }
    const queriesFor = async (viewers: readonly Viewer[]) => {
      const { feed, schema, prisma } = createWorld()
      const deliveries = createDeliveries({ guard, mask })
      const collected = await Promise.all(
        viewers.flatMap((contextValue) =>
          [asEvents, asFrames].map((collect) =>
            collect(deliveries, { schema, document: parse(source), contextValue: { ...contextValue } }),
          ),
        ),
      )
      for (const id of [1, 2]) {
        feed.commit({ model: 'Post', new: { ...anyPost, id }, key: { id } })
        await new Promise((resolve) => setImmediate(resolve))
      }
      feed.close()
      const texts = await Promise.all(collected.map((finish) => finish()))
      expect(texts.every((each) => each.length === 2 && each.every((text) => text.includes('email')))).toBe(
        true,
      )
      return prisma.calls.length
    }
    const alone = await queriesFor([openTo])
    expect(alone).toBeGreaterThanOrEqual(2)
    expect(await queriesFor(Array.from({ length: 10 }, () => openTo))).toBe(alone)
    // What the two see differs, and so does the query.
    expect(await queriesFor([openTo, onlyAdmins, openTo, onlyAdmins])).toBe(2 * alone)
  })
})

const anyPost = { authorId: 'u', title: 'a', body: '', views: 1n, layout: null, parentId: null }
