/** `<model>List` and `<model>Totals` of GraphQL on a real PostgreSQL: what each viewer puts together is what he gets by the query of the same arguments. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { createWsClient, type WsClient, type WsSubscription } from '../support/ws-client.ts'

const ADA = '00000000-0000-4000-8000-00000000000a'
const BOB = '00000000-0000-4000-8000-00000000000b'

let database: TestDatabase
let running: RunningService
const sockets: WsClient[] = []

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  running = await openService(database, {
    context: (source) => ({
      context: { viewer: source.kind === 'websocket' ? source.connectionParams['viewer'] : null },
    }),
    config: {
      models: {
        User: {},
        Post: {
          rows: (context) =>
            Reflect.get(context, 'viewer') === 'editor' ? 'all' : { author: { is: { isActive: true } } },
          fields: (context) =>
            Reflect.get(context, 'viewer') === 'editor'
              ? 'all'
              : ['id', 'authorId', 'title', 'status', 'viewCount', 'createdAt'],
        },
        Tag: {
          rows: (context) => (Reflect.get(context, 'viewer') === 'editor' ? 'all' : { color: '#ff0000' }),
        },
      },
      public: true,
    },
  })
  await running.service.rowcast.ready()
  await database.query(
    `INSERT INTO users (id, email, full_name) VALUES ('${ADA}', 'ada@x', 'Ada'), ('${BOB}', 'bob@x', 'Bob')`,
  )
})
afterAll(async () => {
  for (const socket of sockets) await socket.close()
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function connect(viewer: string): WsClient {
  const socket = createWsClient(running.url, { viewer })
  sockets.push(socket)
  return socket
}

interface Row {
  readonly id: string
}

interface ListData {
  readonly list: {
    readonly totalCount: number
    readonly rows?: readonly Row[]
    readonly operations?: readonly {
      readonly kind: string
      readonly index: number
      readonly key: { readonly rowId: string }
      readonly row: Row | null
    }[]
    readonly transaction: { readonly xid: string } | null
  }
}

interface State {
  rows: Row[]
  readonly transactions: ListData['list']['transaction'][]
}

/** Keeps a list as a client does; resolves once it is as wanted. */
async function until(list: WsSubscription<ListData>, state: State, wanted: readonly Row[]) {
  while (JSON.stringify(state.rows) !== JSON.stringify(wanted)) {
    const { data, errors } = await list.next()
    expect(errors).toBeUndefined()
    const { rows, operations = [] } = data?.list ?? { rows: [] }
    state.transactions.push(data?.list.transaction ?? null)
    if (rows !== undefined) state.rows = [...rows]
    for (const { kind, index, key, row } of operations) {
      const at = state.rows.findIndex(({ id }) => String(id) === String(key.rowId))
      if (at >= 0) state.rows.splice(at, 1)
      if (kind !== 'REMOVE') state.rows.splice(index, 0, row as Row)
    }
  }
}

const posts = (fields: string, args: string) => ({
  list: `subscription { list: postList(${args}, take: 3) { __typename totalCount cursor transaction { xid }
    ... on PostListSnapshot { rows { ${fields} } }
    ... on PostListPatch { operations { kind index key { rowId } row { ${fields} } } } } }`,
  query: `query { rows: posts(${args}, take: 3) { ${fields} } }`,
})

async function queried(socket: WsClient, document: string): Promise<readonly Row[]> {
  const { data, errors } = await socket.subscribe<{ rows: readonly Row[] }>(document).next()
  expect(errors).toBeUndefined()
  return data?.rows ?? []
}

const WRITES = [
  `INSERT INTO "Post" ("authorId", title, "viewCount") SELECT CASE WHEN i % 2 = 0 THEN '${ADA}'::uuid ELSE '${BOB}'::uuid END, 'p' || i, i % 4 FROM generate_series(1, 9) i`,
  `UPDATE "Post" SET "viewCount" = "viewCount" + 3 WHERE id % 3 = 0`,
  `UPDATE users SET is_active = false WHERE id = '${BOB}'`,
  `DELETE FROM "Post" WHERE id IN (SELECT id FROM "Post" ORDER BY "viewCount" DESC LIMIT 2)`,
  `UPDATE users SET is_active = true WHERE id = '${BOB}'`,
]

describe('live lists of GraphQL', () => {
  it('are what the query of the same arguments gives to the same viewer', async () => {
    const viewers = ['editor', 'reader'].map((viewer) => {
      const socket = connect(viewer)
      const { list, query } = posts(
        'id title viewCount author { fullName }',
        'orderBy: [{ viewCount: DESC }, { id: ASC }]',
      )
      const state: State = { rows: [], transactions: [] }
      return { socket, query, list: socket.subscribe<ListData>(list), state }
    })
    for (const write of WRITES) {
      await database.query(write)
      for (const { socket, query, list, state } of viewers)
        await until(list, state, await queried(socket, query))
    }
    const [editor, reader] = viewers.map(({ state }) => state.rows.length)
    expect([editor, reader]).toEqual([3, 3])
    const [named, unnamed] = viewers.map(({ state }) => state.transactions.filter((each) => each !== null))
    expect(named?.length).toBeGreaterThan(0)
    // His policy follows relations: one that wrote only what he may not see had a part in that, too.
    expect(unnamed).toEqual([])
  })

  it.each(['ASC', 'DESC', 'ASC_NULLS_FIRST', 'ASC_NULLS_LAST', 'DESC_NULLS_FIRST', 'DESC_NULLS_LAST'])(
    'stand as the query of the same order gives it, nulls included: %s',
    async (sort) => {
      const socket = connect('editor')
      const { list, query } = posts('id publishedAt', `orderBy: [{ publishedAt: ${sort} }]`)
      const state: State = { rows: [], transactions: [] }
      const events = socket.subscribe<ListData>(list)
      for (const [day, id] of [null, 1, 3, null, 2].entries()) {
        const [at] = await database.query<{ id: number }>(
          `INSERT INTO "Post" ("authorId", title, "publishedAt") VALUES ('${ADA}', '${sort}', ${id === null ? 'NULL' : `'2026-01-0${id} 0${day}:00'`}) RETURNING id`,
        )
        expect(at).toBeDefined()
        await until(events, state, await queried(socket, query))
      }
      const { rowcast } = running.service
      const { sets } = rowcast.listCost()
      await socket.close()
      await expect.poll(() => rowcast.listCost().sets).toBe(sets - 1)
      await database.query(`DELETE FROM "Post" WHERE title = '${sort}'`)
    },
  )

  it('show each viewer what his policy lets him see, and share a list among those of whom it is the same', async () => {
    const list = `subscription { list: tagList(orderBy: [{ id: ASC }]) { totalCount transaction { xid }
      ... on TagListSnapshot { rows { id } } ... on TagListPatch { operations { kind index key { rowId } row { id } } } } }`
    const before = running.service.rowcast.listCost().sets
    const clients = ['editor', 'reader', 'reader'].map((viewer) => connect(viewer).subscribe<ListData>(list))
    const totals = async () =>
      (await Promise.all(clients.map((client) => client.next()))).map(({ data }) => data?.list.totalCount)
    expect(await totals()).toEqual([0, 0, 0])
    expect(running.service.rowcast.listCost().sets - before).toBe(2)
    await database.query(`INSERT INTO "Tag" (name, color) VALUES ('a', '#ff0000')`)
    expect(await totals()).toEqual([1, 1, 1])
    await database.query(`INSERT INTO "Tag" (name, color) VALUES ('b', '#00ff00'), ('c', '#ff0000')`)
    expect(await totals()).toEqual([3, 2, 2])
    await database.query(`UPDATE "Tag" SET color = '#000000' WHERE name = 'a'`)
    expect(await totals()).toEqual([3, 1, 1])
  })

  it('refuse what the viewer may not see, and what is out of bounds', async () => {
    const reader = connect('reader')
    const codeOf = async (text: string) => {
      const result = await reader
        .subscribe(text)
        .next()
        .catch((error: unknown) => error)
      return JSON.stringify(result)
    }
    const { list: hidden } = posts('id draftNotes', 'orderBy: [{ id: ASC }]')
    const { list: ordered } = posts('id', 'orderBy: [{ rating: ASC }]')
    const { list: filtered } = posts('id', 'where: { rating: { gt: 1 } }')
    expect(await codeOf(hidden)).toContain('FIELD_HIDDEN')
    expect(await codeOf(ordered)).toContain('FIELD_HIDDEN')
    expect(await codeOf(filtered)).toContain('BAD_FILTER')
    const bounds = (args: string) => codeOf(`subscription { list: postList(${args}) { cursor } }`)
    expect(await bounds('take: 1001')).toContain('BAD_FILTER')
    expect(await bounds('every: 60001')).toContain('BAD_FILTER')
  })

  it('are so many for one socket, and count for who opens them first, until they end', async () => {
    const document = (take: number) => `subscription { list: tagList(take: ${take}) { cursor } }`
    const hoarder = connect('editor')
    const lists = Array.from({ length: 50 }, (_, index) => hoarder.subscribe<ListData>(document(index + 1)))
    for (const list of lists) expect((await list.next()).errors).toBeUndefined()
    const refused = await hoarder.subscribe<ListData>(document(51)).next()
    expect(JSON.stringify(refused)).toContain('FILTER_TOO_COSTLY')
    const other = connect('editor')
    const [shared, own] = [other.subscribe<ListData>(document(1)), other.subscribe<ListData>(document(51))]
    for (const list of [shared, own]) expect((await list.next()).errors).toBeUndefined()
    const before = running.service.rowcast.listCost().sets
    lists[1]?.unsubscribe()
    await expect.poll(() => running.service.rowcast.listCost().sets).toBe(before - 1)
    expect((await hoarder.subscribe<ListData>(document(52)).next()).errors).toBeUndefined()
  })
})

interface TotalsData {
  readonly totals: Readonly<Record<string, unknown>> & { readonly cursor: string }
}

/** The service, whose types know no models. */
interface TypedService {
  readonly prisma: PrismaClient
  readonly rowcast: Pick<Rowcast<RowcastModels>, 'subscribe'>
}

const TOTAL_WRITES = [
  ...WRITES,
  `INSERT INTO "Post" ("authorId", title, "viewCount", rating) VALUES ('${ADA}', 'much', 9007199254740993, 4.5), ('${BOB}', 'more', 2, 3)`,
  `UPDATE "Post" SET "viewCount" = 0 WHERE "viewCount" = (SELECT max("viewCount") FROM "Post")`,
  `UPDATE "Post" SET title = 'Z' || title, status = 'published' WHERE id % 2 = 0`,
  `DELETE FROM "Post" WHERE title LIKE 'Z%'`,
  `DELETE FROM "Post"`,
]

describe('live totals of GraphQL', () => {
  const open = (viewer: string, selected: string, args = 'where: { viewCount: { gte: 1 } }') =>
    connect(viewer).subscribe<TotalsData>(
      `subscription { totals: postTotals(${args}) { count ${selected} cursor } }`,
    )
  const codesOf = async (viewer: string, selected: string, args?: string) =>
    JSON.stringify(await open(viewer, selected, args).next())

  it('are what aggregate gives for the rows that the viewer may see, at every cursor', async () => {
    const { prisma, rowcast } = running.service as unknown as TypedService
    const shownTo = { editor: {}, reader: { author: { is: { isActive: true } } } }
    const searched = async (viewer: keyof typeof shownTo) => {
      const { _count, _sum, _min, _max } = await prisma.post.aggregate({
        where: { AND: [{ viewCount: { gte: 1 } }, shownTo[viewer]] },
        ...{ _count: true, _sum: { viewCount: true }, _max: { title: true, viewCount: true } },
        _min: { createdAt: true, status: true, id: true },
      })
      const { id, ...min } = _min
      const text = (_name: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
      const parts = { count: _count, sum: _sum, min: { ...min, rowId: id?.toString() ?? null }, max: _max }
      return JSON.stringify(parts, text)
    }
    const commits: bigint[] = []
    const marks = rowcast.subscribe('Tag', { where: { name: { startsWith: 'mark' } } })
    const viewers = (['editor', 'reader'] as const).map((viewer) => {
      const fields = 'sum { viewCount } min { createdAt status rowId } max { title viewCount }'
      return { viewer, totals: open(viewer, fields), last: '', shown: [] as [bigint, string][] }
    })
    const states = new Map(viewers.map(({ viewer }) => [viewer, [] as string[]]))
    const search = async () => {
      for (const { viewer } of viewers) states.get(viewer)?.push(await searched(viewer))
    }
    await search()
    for (const [index, write] of TOTAL_WRITES.entries()) {
      await database.query(`BEGIN; ${write}; INSERT INTO "Tag" (name) VALUES ('mark ${index}'); COMMIT`)
      await search()
      commits.push((await marks.next()).value?.transaction.commitLsn ?? 0n)
      for (const each of viewers) {
        while (each.last !== states.get(each.viewer)?.at(-1)) {
          const { data, errors } = await each.totals.next()
          expect(errors).toBeUndefined()
          const { cursor, ...totals } = data?.totals ?? { cursor: '' }
          each.last = JSON.stringify(totals)
          each.shown.push([parseCursor(cursor).position.commitLsn, each.last])
        }
      }
    }
    await marks.return?.()
    for (const { viewer, shown } of viewers) {
      const wanted = shown.map(([lsn]) => states.get(viewer)?.[commits.filter((at) => at <= lsn).length])
      expect(shown.map(([, state]) => state)).toEqual(wanted)
      expect(shown.length).toBeGreaterThan(4)
    }
  })

  it('say nothing of fields that the viewer may not see, and are shared by those who ask for the same', async () => {
    const hidden = ['sum { rating }', 'min { a: rating }', 'max { ... { rating } }', 'min { draftNotes }']
    for (const selected of hidden) expect(await codesOf('reader', selected)).toContain('FIELD_HIDDEN')
    expect(await codesOf('reader', 'sum { rating @skip(if: true) }')).toContain('FIELD_HIDDEN')
    expect(await codesOf('reader', '', 'where: { rating: { gt: 1 } }')).toContain('BAD_FILTER')
    expect(await codesOf('reader', '', 'every: 60001')).toContain('BAD_FILTER')
    const before = running.service.rowcast.listCost().sets
    // In whatever order they are selected.
    const same = ['sum { viewCount } min { rating title }', 'min { title least: rating } sum { viewCount }']
    const shared = [...same, same[0] ?? ''].map((selected) => open('editor', selected, 'every: 77'))
    for (const totals of shared) expect((await totals.next()).errors).toBeUndefined()
    expect(running.service.rowcast.listCost().sets - before).toBe(1)
  })

  it('count for who opens them first', async () => {
    const hoarder = connect('editor')
    const totals = (every: number) =>
      hoarder.subscribe<TotalsData>(`subscription { totals: tagTotals(every: ${every}) { count } }`)
    for (let every = 1; every <= 50; every += 1) expect((await totals(every).next()).errors).toBeUndefined()
    expect(JSON.stringify(await totals(51).next())).toContain('FILTER_TOO_COSTLY')
  })
})
