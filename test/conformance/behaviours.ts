/** One list of behaviours of `<model>Changed`, which every server that shows changes has to show. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { AnyChange } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'
import { type SseSubscription, subscribeSse } from '../support/sse-client.ts'
import { createWsClient, type WsClient, type WsSubscription } from '../support/ws-client.ts'
import {
  type ConformanceFeed,
  type ConformanceKind,
  type ConformanceTarget,
  createConformanceFeed,
  VIEWER_HEADER,
} from './target.ts'

/** Where the log begins. */
const FLOOR = 100n

type Data = { readonly [name: string]: Readonly<Record<string, unknown>> }
type Subscription = WsSubscription<Data> | SseSubscription<Data>

const ADA = { id: 'a', email: 'ada@x', bio: null, role: 'ADMIN', tags: ['x'], passwordHash: 'h' }
const BOB = { id: 'b', email: 'bob@x', bio: 'b', role: 'MEMBER', tags: [], passwordHash: 'h' }
const inserted = (row: typeof ADA | typeof BOB) => ({
  ...{ action: 'INSERT' as const, new: row, key: { id: row.id }, changed: [] },
})
const updated = (old: typeof BOB, row: typeof BOB, ...changed: string[]) => ({
  ...{ action: 'UPDATE' as const, old, new: row, key: { id: row.id }, changed },
})

/** Runs the list against one kind of server. */
export function describeConformance(kind: ConformanceKind): void {
  describe.each(kind.transports)(`${kind.name} over %s`, (transport) => {
    let feed: ConformanceFeed
    let target: ConformanceTarget
    const sockets: WsClient[] = []
    let position = Number(FLOOR)

    beforeAll(async () => {
      feed = createConformanceFeed()
      feed.open(FLOOR)
      target = await kind.open(feed)
    })
    afterAll(async () => {
      for (const socket of sockets) await socket.close()
      await target.close()
    })

    function commit(...changes: readonly Partial<AnyChange>[]): void {
      position += 1
      feed.commitAt(position, ...changes)
    }

    /** Resolves once the server has subscribed, so that nothing is committed too early. */
    async function watch(
      document: string,
      variables: Record<string, unknown> = {},
      viewer = 'admin',
    ): Promise<Subscription> {
      const before = feed.requests.length
      const subscription = await begin(document, variables, viewer)
      await expect.poll(() => feed.requests.length).toBeGreaterThan(before)
      return subscription
    }

    async function begin(
      document: string,
      variables: Record<string, unknown> = {},
      viewer = 'admin',
    ): Promise<Subscription> {
      if (transport === 'sse') {
        const stream = await subscribeSse<Data>(target.url, document, variables, 'POST', {
          [VIEWER_HEADER]: viewer,
        })
        onTestFinished(() => stream.unsubscribe())
        return stream
      }
      const client = createWsClient(target.url, { viewer })
      sockets.push(client)
      await client.connected()
      const subscription = client.subscribe<Data>(document, variables)
      onTestFinished(() => subscription.unsubscribe())
      return subscription
    }

    /** The code of the error that a subscription ends with, or that it gets in its first result. */
    async function codeOf(subscription: Subscription): Promise<unknown> {
      const code = (errors: readonly { readonly extensions?: Record<string, unknown> }[] | undefined) =>
        errors?.[0]?.extensions?.['code'] ?? errors
      const end = subscription.ended().then((ended) => (ended.kind === 'errors' ? code(ended.errors) : ended))
      const result = subscription.next().then(({ errors }) => code(errors))
      // Whichever comes: servers answer with the one or the other.
      return Promise.any([result, end])
    }

    async function changed(subscription: Subscription): Promise<Readonly<Record<string, unknown>>> {
      const data = await subscription.nextData()
      return Object.values(data)[0] ?? {}
    }

    /** Whatever a server calls the type of rows before. */
    async function oldTypeName(): Promise<string> {
      const { data } = (await query(
        target.url,
        '{ __type(name: "UserUpdated") { fields { name type { name } } } }',
      )) as { data: { __type: { fields: { name: string; type: { name: string } }[] } } }
      return data.__type.fields.find(({ name }) => name === 'old')?.type.name ?? ''
    }

    it('shows what happened: action, key, old, new, changed, and which type it is', async () => {
      const results = await watch(`subscription { userChanged {
        __typename action key { rowId } old { rowId email } new { id email role tags } changed unavailable transition
        transaction { xid index last } committedAt
      } }`)
      commit(
        inserted(BOB),
        updated(BOB, { ...BOB, email: 'new@x' }, 'email'),
        { action: 'DELETE', old: BOB, new: null, key: { id: 'b' }, changed: [] },
        { action: 'TRUNCATE', old: null, new: null, key: null, changed: [] },
      )
      const rest = { unavailable: [], transition: null, committedAt: expect.stringMatching(/Z$/) }
      const at = (index: number, last = false) => ({
        ...rest,
        transaction: { xid: expect.any(String), index, last },
      })
      const row = { id: 'b', email: 'bob@x', role: 'MEMBER', tags: [] }
      expect(await changed(results)).toEqual({
        ...{ __typename: 'UserInserted', action: 'INSERT', key: { rowId: 'b' }, old: null, new: row },
        ...{ changed: [], ...at(0) },
      })
      expect(await changed(results)).toEqual({
        ...{ __typename: 'UserUpdated', action: 'UPDATE', key: { rowId: 'b' } },
        ...{
          old: { rowId: 'b', email: 'bob@x' },
          new: { ...row, email: 'new@x' },
          changed: ['email'],
          ...at(1),
        },
      })
      expect(await changed(results)).toEqual({
        ...{ __typename: 'UserDeleted', action: 'DELETE', key: { rowId: 'b' } },
        ...{ old: { rowId: 'b', email: 'bob@x' }, new: null, changed: [], ...at(2) },
      })
      expect(await changed(results)).toEqual({
        ...{ __typename: 'UserTruncated', action: 'TRUNCATE', key: null, old: null, new: null },
        ...{ changed: [], ...at(3, true) },
      })
    })

    it('has filters, from variables too, and says who enters and leaves', async () => {
      const results = await watch(
        `subscription ($where: UserWhere, $actions: [ChangeAction!]) {
          userChanged(where: $where, action: $actions) { action transition new { email } }
        }`,
        { where: { email: { startsWith: 'BOB', mode: 'INSENSITIVE' } }, actions: ['UPDATE'] },
      )
      commit(
        inserted(BOB),
        updated(BOB, { ...BOB, email: 'else@x' }, 'email'),
        updated({ ...BOB, email: 'else@x' }, BOB, 'email'),
        updated(BOB, { ...BOB, bio: 'c' }, 'bio'),
      )
      expect(await changed(results)).toMatchObject({ action: 'UPDATE', transition: 'LEFT' })
      expect(await changed(results)).toMatchObject({ transition: 'ENTERED', new: { email: 'bob@x' } })
      expect(await changed(results)).toMatchObject({ transition: 'STAYED' })
    })

    it('asks of the row before, of the row after, and of what differs', async () => {
      const results = await watch(`subscription {
        userChanged(old: { role: { equals: MEMBER } }, new: { role: { equals: ADMIN } }, changed: [role]) { key { rowId } }
      }`)
      commit(
        updated(BOB, { ...BOB, bio: 'c' }, 'bio'),
        updated({ ...BOB, id: 'c' }, { ...BOB, id: 'c', role: 'ADMIN' }, 'role'),
      )
      expect(await changed(results)).toEqual({ key: { rowId: 'c' } })
    })

    it('goes on after a cursor with what was missed, under whatever name the field has', async () => {
      const first = await watch('subscription { mine: userChanged { cursor key { rowId } } }')
      commit(inserted(ADA), inserted(BOB))
      const { cursor } = await changed(first)
      const results = await watch(
        'subscription ($after: Cursor) { again: userChanged(after: $after) { key { rowId } } }',
        { after: cursor },
      )
      expect(await results.nextData()).toEqual({ again: { key: { rowId: 'b' } } })
      commit(inserted(ADA))
      expect(await changed(results)).toEqual({ key: { rowId: 'a' } })
    })

    it('gives `changeCursor` to begin with', async () => {
      const { data } = await query(target.url, '{ changeCursor }')
      const results = await watch(
        'subscription ($after: Cursor) { userChanged(after: $after) { action } }',
        data as Record<string, unknown>,
      )
      commit(inserted(ADA))
      expect(await changed(results)).toHaveProperty('action')
    })

    it.each([
      ['BAD_FILTER', 'subscription { userChanged(where: { email: {} }) { action } }', 'admin'],
      ['GRAPHQL_BAD_ARGUMENT', 'subscription { userChanged(action: []) { action } }', 'admin'],
      ['BAD_CURSOR', 'subscription { userChanged(after: "nonsense") { action } }', 'admin'],
      ['FORBIDDEN', 'subscription { userChanged { action } }', 'nobody'],
      ['FIELD_HIDDEN', 'subscription { userChanged { new { bio } } }', 'member'],
      ['FIELD_HIDDEN', 'subscription { userChanged { old { bio } } }', 'member'],
    ])('refuses with %s: %s', async (code, document, viewer) => {
      expect(await codeOf(await begin(document, {}, viewer))).toBe(code)
    })

    it('ends with RESYNC_REQUIRED where changes may be missing', async () => {
      const results = await begin('subscription ($after: Cursor) { userChanged(after: $after) { action } }', {
        after: formatCursor(PLAIN_ORIGIN, toLsn(5n), 0),
      })
      expect(await codeOf(results)).toBe('RESYNC_REQUIRED')
    })

    it('keeps rows and fields from a viewer whose policy says so', async () => {
      const results = await watch(
        'subscription { userChanged { action key { rowId } old { email } new { email } changed } }',
        {},
        'member',
      )
      commit(
        inserted(ADA),
        updated(BOB, { ...BOB, bio: 'c', email: 'n@x' }, 'bio', 'email'),
        updated(BOB, { ...BOB, role: 'ADMIN' }, 'role'),
      )
      expect(await changed(results)).toEqual({
        ...{ action: 'UPDATE', key: { rowId: 'b' }, old: { email: 'bob@x' }, new: { email: 'n@x' } },
        changed: ['email'],
      })
      expect(await changed(results)).toMatchObject({ new: null, changed: [] })
    })

    it('has no word for what is omitted: neither by policy nor as a secret', async () => {
      const { data } = (await query(
        target.url,
        `{ field: __type(name: "UserField") { enumValues { name } } old: __type(name: "UserOld") { fields { name } }
           where: __type(name: "UserWhere") { inputFields { name type { name } } } }`,
      )) as { data: Record<string, Record<string, { name: string; type?: { name: string | null } }[]>> }
      // Relations lead to other models, where a server follows them; what is shown of those is theirs.
      const names = (type: string, list: string) =>
        data[type]?.[list]
          ?.filter((field) => field.type?.name?.endsWith('RelationFilter') !== true)
          .map(({ name }) => name)
      const shown = ['id', 'email', 'bio', 'role', 'tags']
      expect(names('field', 'enumValues')?.toSorted()).toEqual(shown.toSorted())
      expect(names('where', 'inputFields')?.toSorted()).toEqual([...shown, 'AND', 'NOT', 'OR'].toSorted())
      expect(names('old', 'fields')).toEqual(
        expect.arrayContaining(['rowId', 'email', 'bio', 'role', 'tags']),
      )
      for (const omitted of ['id', 'passwordHash', 'balance', 'createdAt'])
        expect(names('old', 'fields')).not.toContain(omitted)
    })

    it('gives whole transactions over several models, in commit order, each with its own filters', async () => {
      const results = await watch(
        `subscription ($role: Role!) {
          changes(of: { user: { where: { role: { equals: $role } } }, tag: { action: INSERT } }) {
            transaction { xid committedAt } isLast cursor
            changes { __typename action transition cursor
              ... on UserInserted { new { email } } ... on UserChange { key { rowId } } ... on TagChange { tag: key { rowId } } }
          }
        }`,
        { role: 'MEMBER' },
      )
      const rock = { id: 7n, name: 'rock' }
      commit({ ...inserted(ADA) })
      commit(
        inserted(ADA),
        { model: 'Tag', action: 'INSERT', new: rock, key: { id: 7n }, changed: [] },
        inserted(BOB),
        { model: 'Tag', action: 'DELETE', old: rock, new: null, key: { id: 7n }, changed: [] },
      )
      commit({ action: 'DELETE', old: BOB, new: null, key: { id: 'b' }, changed: [] })
      const first = await changed(results)
      const cursors = (first['changes'] as readonly { readonly cursor: string }[]).map(({ cursor }) => cursor)
      expect(first).toEqual({
        transaction: { xid: expect.any(String), committedAt: expect.stringMatching(/Z$/) },
        ...{ isLast: true, cursor: cursors.at(-1) },
        changes: [
          {
            ...{ __typename: 'TagInserted', action: 'INSERT', transition: null, cursor: cursors[0] },
            tag: { rowId: '7' },
          },
          {
            ...{ __typename: 'UserInserted', action: 'INSERT', transition: 'ENTERED', cursor: cursors[1] },
            ...{ new: { email: 'bob@x' }, key: { rowId: 'b' } },
          },
        ],
      })
      expect(await changed(results)).toMatchObject({ changes: [{ __typename: 'UserDeleted' }] })
      const again = await watch(
        `subscription ($after: Cursor) { changes(of: { user: {}, tag: {} }, after: $after) { changes { action } } }`,
        { after: cursors[0] },
      )
      expect(await changed(again)).toEqual({ changes: [{ action: 'INSERT' }, { action: 'DELETE' }] })
    })

    it('keeps rows and fields of each model from a viewer whose policy says so, in transactions as well', async () => {
      const results = await watch(
        `subscription { changes(of: { user: {}, tag: {} }) { changes { __typename
          ... on UserChange { key { rowId } new { email } changed } } } }`,
        {},
        'member',
      )
      commit(
        inserted(ADA),
        updated(BOB, { ...BOB, bio: 'c', email: 'n@x' }, 'bio', 'email'),
        updated(BOB, { ...BOB, role: 'ADMIN' }, 'role'),
      )
      const user = { key: { rowId: 'b' } }
      expect(await changed(results)).toEqual({
        changes: [
          { __typename: 'UserUpdated', ...user, new: { email: 'n@x' }, changed: ['email'] },
          { __typename: 'UserDeleted', ...user, new: null, changed: [] },
        ],
      })
    })

    it.each([
      ['BAD_FILTER', '(of: {})', 'admin'],
      ['BAD_FILTER', '(of: { tag: {}, user: { where: { email: {} } } })', 'admin'],
      ['BAD_FILTER', '(of: { tag: {}, user: { where: { email: { equals: $missing } } } })', 'admin'],
      ['BAD_FILTER', '(of: { tag: {}, user: $selection })', 'admin'],
      ['GRAPHQL_BAD_ARGUMENT', '(of: { user: { action: [] } })', 'admin'],
      ['BAD_CURSOR', '(of: { user: {} }, after: "nonsense")', 'admin'],
      ['FORBIDDEN', '(of: { tag: {}, user: {} })', 'nobody'],
      ['FIELD_HIDDEN', '(of: { tag: {}, user: {} })', 'member'],
    ])('refuses transactions with %s: %s', async (code, given, viewer) => {
      const variables = [
        ['missing', 'String'],
        ['selection', 'UserSelection'],
      ].filter(([name]) => given.includes(`$${name}`))
      const declared = variables.map(([name, type]) => `$${name}: ${type}`).join()
      const document = `subscription ${declared && `(${declared})`} {
        changes${given} { changes { ... on AnyChange { ... on UserChange { old { ...Hidden } } } } }
      } fragment Hidden on ${await oldTypeName()} { bio }`
      expect(await codeOf(await begin(document, {}, viewer))).toBe(code)
    })

    it('ends its subscription to the feed with the client’s', async () => {
      const before = feed.returned
      const results = await watch('subscription { userChanged { action } }')
      results.unsubscribe()
      // A server may notice only when it next has something to send.
      await expect
        .poll(() => {
          commit(inserted(ADA))
          return feed.returned
        })
        .toBeGreaterThan(before)
    })
  })
}

async function query(url: string, text: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', [VIEWER_HEADER]: 'admin' },
    body: JSON.stringify({ query: text }),
  })
  return (await response.json()) as Record<string, unknown>
}
