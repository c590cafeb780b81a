/** Subscriptions of GraphQL that begin with the rows there are: over the real bus, with pages that the test gives. */

import { GraphQLError, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { AnyRow } from '../../../src/changes/change.ts'
import { RowcastError } from '../../../src/errors.ts'
import type { ChangeFeed } from '../../../src/graphql/change-feed.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import type { ModelExposure } from '../../../src/graphql/service-types.ts'
import { createGuard } from '../../../src/guard.ts'
import { createDeliveries } from '../../../src/server/delivery/deliveries.ts'
import { FirstRows } from '../../../src/sets/first-rows.ts'
import { HeldPages } from '../../../src/sets/held-pages.ts'
import { PageSizes } from '../../../src/sets/page-sizes.ts'
import { keyOrderOf } from '../../../src/sets/read-ranges.ts'
import { RowSubscription, type RowsRequest } from '../../../src/sets/row-subscription.ts'
import { toLsn } from '../../../src/wire/lsn.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { nextResult, subscribeTo, trySubscribe } from '../subscribe-to.ts'

const ids = [1, 2, 3].map((number) => `6a0e3a3c-0000-4000-8000-00000000000${number}`)
const [ADA, BEN, CY] = ids as [string, string, string]
const row = (id: string, role = 'ADMIN'): AnyRow => ({
  ...{ id, email: `${id.at(-1)}@example.com`, bio: null, role, tags: [], passwordHash: 'hash' },
})

/** A feed whose pages are these rows; the stream passes their fence as soon as something commits at 10 or later. */
function world(exposure: ModelExposure = {}, pages: readonly AnyRow[] = [row(ADA), row(BEN)]) {
  const feed = createFakeFeed(blogCatalog, ['User'])
  feed.open()
  // The cursor for now is that of this change.
  feed.commit({ model: 'Post', action: 'INSERT' })
  const requests: RowsRequest[] = []
  const model = blogCatalog.models['User'] ?? never()
  const withRows: ChangeFeed = {
    ...feed,
    changeCursor: feed.changeCursor,
    subscribeRows(request) {
      requests.push(request)
      const refused = Object.entries(request.refused).find(([, value]) => value !== undefined)
      if (refused !== undefined) throw new RowcastError('FIRST_ROWS_REFUSED', `\`${refused[0]}\``)
      const rows = new FirstRows({
        changeCursor: feed.changeCursor,
        subscribe: (after) => feed.subscribeDeliveries({ model: 'User', filter: request.filter, after }),
        readPage: (behind) =>
          Promise.resolve({
            rows: behind === null ? pages : [],
            bytes: pages.length,
            fence: { sees: () => false, endLsn: toLsn(10n), text: '' },
          }),
        keyOf: ({ id }) => ({ id }),
        compareKeys: keyOrderOf(model, blogCatalog),
        sizes: new PageSizes(500, () => 1_000),
        held: new HeldPages(1_000_000),
        wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      })
      return new RowSubscription(rows, { model: 'User', copy: (each) => ({ ...each }) })
    },
  }
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma: createRecordingPrisma(),
    feed: withRows,
    models: { User: exposure },
  })
  return { feed, schema, requests }
}

function never(): never {
  throw new Error('The catalog of the tests has it.')
}

const ROWS = `subscription ($where: UserWhere = null, $after: Cursor) {
  userChanged(initial: true, where: $where, after: $after) {
    __typename action transition cause key { rowId } new { id role } committedAt cursor transaction { index }
  }
}`

describe('a subscription with initial', () => {
  it('gives rows, READY, and changes', async () => {
    const { feed, schema } = world()
    const results = await subscribeTo(schema, ROWS)
    const events = [await nextResult(results), await nextResult(results)]
    expect(events.map((each) => each?.data?.['userChanged'])).toMatchObject(
      [ADA, BEN].map((id) => ({
        ...{ __typename: 'UserRead', action: 'READ', transition: 'ENTERED', cause: 'INITIAL' },
        ...{ key: { rowId: id }, new: { id, role: 'ADMIN' }, committedAt: null, transaction: null },
      })),
    )
    const next = nextResult(results)
    feed.commitAt(20, { action: 'INSERT', new: row(CY), key: { id: CY }, oldKey: null })
    expect((await next)?.data?.['userChanged']).toMatchObject({
      ...{ __typename: 'UserReady', action: 'READY', transition: null, cause: null, key: null, new: null },
    })
    expect((await nextResult(results))?.data?.['userChanged']).toMatchObject({
      ...{ __typename: 'UserInserted', cause: null, key: { rowId: CY }, transaction: { index: 0 } },
    })
    await results.return()
    expect(feed.returned).toBe(1)
  })

  it('gives what commits before the fence as rows', async () => {
    const { feed, schema } = world({}, [row(ADA)])
    const results = await subscribeTo(schema, ROWS)
    await nextResult(results)
    feed.commitAt(5, {
      action: 'UPDATE',
      old: row(ADA),
      new: row(ADA, 'MEMBER'),
      key: { id: ADA },
      oldKey: null,
    })
    expect((await nextResult(results))?.data?.['userChanged']).toMatchObject({
      ...{ action: 'READ', transition: 'STAYED', new: { role: 'MEMBER' }, transaction: null },
    })
    await results.return()
  })

  it('asks for the rows of `where`, of those that the viewer may see, and hides their fields', async () => {
    const { schema, requests } = world({
      rows: () => ({ role: 'ADMIN' }),
      fields: () => ['id', 'email', 'role'],
    })
    const results = await subscribeTo(
      schema,
      'subscription { userChanged(initial: true, pageSize: 7, where: { email: { contains: "@" } }) { action new { id email } } }',
    )
    expect(requests[0]).toMatchObject({
      conditions: [{ email: { contains: '@' } }, { role: 'ADMIN' }],
      pageSize: 7,
      filter: { rows: expect.anything(), where: expect.anything() },
    })
    expect((await nextResult(results))?.data).toMatchObject({ userChanged: { new: { id: ADA } } })
    await results.return()
    const hidden = await trySubscribe(schema, 'subscription { userChanged(initial: true) { new { bio } } }')
    expect(JSON.stringify(hidden)).toContain('FIELD_HIDDEN')
  })

  it('takes a row that goes out of sight for one that left', async () => {
    const { feed, schema } = world({ rows: () => ({ role: 'ADMIN' }) }, [row(ADA)])
    const results = await subscribeTo(schema, ROWS)
    await nextResult(results)
    feed.commitAt(5, {
      action: 'UPDATE',
      old: row(ADA),
      new: row(ADA, 'MEMBER'),
      key: { id: ADA },
      oldKey: null,
    })
    expect((await nextResult(results))?.data?.['userChanged']).toMatchObject({
      ...{ action: 'READ', transition: 'LEFT', key: { rowId: ADA }, new: null },
    })
    await results.return()
  })

  it('asks for no row where there can be none', async () => {
    const { schema, requests } = world({ rows: () => 'none' })
    const results = await subscribeTo(schema, ROWS, { where: { OR: [] } })
    expect(requests[0]?.conditions).toHaveLength(2)
    expect(JSON.stringify(requests[0]?.conditions)).not.toContain('"OR":[]')
    await results.return()
  })

  it('goes on after a cursor instead, where it has one', async () => {
    const { feed, schema, requests } = world()
    const after = await feed.changeCursor()
    const results = await subscribeTo(schema, ROWS, { after })
    expect(requests).toEqual([])
    expect(feed.requests[0]).toMatchObject({ after })
    await results.return()
  })

  it('refuses what says nothing of a set of rows', async () => {
    const { schema } = world()
    for (const args of ['action: INSERT', 'old: { bio: null }', 'new: { bio: null }', 'changed: [bio]']) {
      const source = `subscription { userChanged(initial: true, ${args}) { action } }`
      expect(JSON.stringify(await trySubscribe(schema, source)), args).toMatch(/FIRST_ROWS_REFUSED|BAD_/)
    }
    for (const action of ['READ', '[INSERT, READY]']) {
      const source = `subscription { userChanged(action: ${action}) { action } }`
      expect(JSON.stringify(await trySubscribe(schema, source))).toContain('GRAPHQL_BAD_ARGUMENT')
    }
  })

  it('refuses viewers who may not see the key, and feeds without rows', async () => {
    const { schema } = world({ fields: () => ['email'] })
    const source = 'subscription { userChanged(initial: true) { action } }'
    expect(JSON.stringify(await trySubscribe(schema, source))).toContain('FIRST_ROWS_REFUSED')
    const plain = buildServiceSchema({
      ...{ catalog: blogCatalog, prisma: createRecordingPrisma(), models: { User: {} } },
      feed: createFakeFeed(blogCatalog, ['User']),
    })
    expect(JSON.stringify(await trySubscribe(plain, source))).toContain('FIRST_ROWS_REFUSED')
  })
})

describe('two of one audience', () => {
  it('each get their own rows, and share the changes after them', async () => {
    const { feed, schema } = world({}, [row(ADA)])
    const mask = (error: unknown) => new GraphQLError(String(error))
    const guard = createGuard({ error() {} })
    const deliveries = createDeliveries({ mask, guard })
    const open = async () => {
      const stream = await deliveries.subscribe({
        ...{ schema, document: parse('subscription { userChanged(initial: true) { action } }') },
        contextValue: {},
      })
      if (!(Symbol.asyncIterator in stream)) throw new Error(JSON.stringify(stream))
      return stream
    }
    const streams = [await open(), await open()]
    const texts: string[][] = [[], []]
    const takeOne = async () => {
      for (const [index, stream] of streams.entries()) {
        const { value } = await stream.next()
        const symbol = Object.getOwnPropertySymbols(value ?? {}).find(
          (each) => each.description === 'rowcast.resultText',
        )
        texts[index]?.push(
          (value as unknown as Record<symbol, { text: string }>)[symbol as symbol]?.text ?? '',
        )
      }
    }
    await takeOne()
    feed.commitAt(20, { action: 'INSERT', new: row(CY), key: { id: CY }, oldKey: null })
    await takeOne()
    await takeOne()
    const expected = ['READ', 'READY', 'INSERT'].map(
      (action) => `{"data":{"userChanged":{"action":"${action}"}}}`,
    )
    expect(texts).toEqual([expected, expected])
    for (const stream of streams) await stream.return()
    expect(feed.returned).toBe(2)
  })
})
