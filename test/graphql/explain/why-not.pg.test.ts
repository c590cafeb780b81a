/** "Why did I not get it?", asked of a running service: by viewers with rights and without, by GraphQL and at a terminal. */
import { describe, expect, it } from 'vitest'
import type { Explanation } from '../../../src/bus/explanation.ts'
import type { ContextFunction } from '../../../src/server/session/context.ts'
import { openCliFolder } from '../../cli/run-cli.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../../support/live-rowcast.ts'
import { openService } from '../../support/live-service.ts'
import { createWsClient } from '../../support/ws-client.ts'

const NET_MS = 40_000
const SECRET = 'secret-5d1c'

interface Viewer {
  readonly name: string
}

const nameOf = (context: object) => (context as Viewer).name
const context: ContextFunction = ({ headers }) => ({ context: { name: headers['x-name'] ?? 'nobody' } })

/** Ada may see her own row, root everything; both may ask why. */
const CONFIG = {
  debug: { canExplain: (viewer: object) => nameOf(viewer) !== 'nobody' },
  models: {
    Tag: {},
    User: {
      rows: (viewer: object) => (nameOf(viewer) === 'root' ? 'all' : { email: `${nameOf(viewer)}@x.org` }),
    },
    Post: { canSubscribe: (viewer: object) => nameOf(viewer) === 'root' },
  },
} as const

interface Answer {
  readonly text: string
  readonly whyNot: Explanation | undefined
  readonly code: unknown
}

async function askWhy(
  url: string,
  viewer: string,
  cursor: string,
  subscription: string,
  variables: object = {},
): Promise<Answer> {
  const query = `query ($cursor: Cursor!, $subscription: String!, $variables: JSON) {
    whyNot(cursor: $cursor, subscription: $subscription, variables: $variables) { isWanted reason steps { stage isPassed text } }
  }`
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-name': viewer },
    body: JSON.stringify({ query, variables: { cursor, subscription, variables } }),
  })
  const text = await response.text()
  const { data, errors } = JSON.parse(text) as {
    data?: { whyNot: Explanation }
    errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[]
  }
  return { text, whyNot: data?.whyNot, code: errors?.[0]?.extensions?.code ?? errors?.[0]?.message }
}

const passed = (answer: Answer) => answer.whyNot?.steps.map(({ stage, isPassed }) => [stage, isPassed])

/** One change, and the cursor of it. */
async function cursorOf(
  database: TestDatabase,
  rowcast: Parameters<typeof lastCursor>[0],
  model: string,
  sql: string,
) {
  const cursor = lastCursor(rowcast, model)
  await database.query(sql)
  return cursor
}

async function lastCursor(
  rowcast: Awaited<ReturnType<typeof openService>>['service']['rowcast'],
  model: string,
): Promise<string> {
  const changes = rowcast.subscribe(model)
  const { value } = await changes.next()
  await changes.return?.()
  return value.cursor
}

describe('Query.whyNot', () => {
  it('follows the change from the slot to the socket', { timeout: 120_000 }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, { context, config: CONFIG })
    const { url, service } = running
    const { rowcast } = service
    await rowcast.ready()
    const named = 'subscription ($name: String) { tagChanged(where: { name: { equals: $name } }) { cursor } }'
    const early = createWsClient(url)
    const stream = early.subscribe<{ tagChanged: { cursor: string } }>(named, { name: SECRET })
    await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: NET_MS }).toBe(1)
    const cursor = await cursorOf(database, rowcast, 'Tag', `INSERT INTO "Tag" (name) VALUES ('${SECRET}')`)
    expect((await stream.nextData()).tagChanged.cursor).toBe(cursor)

    const sent = await askWhy(url, 'ada', cursor, named, { name: SECRET })
    expect(passed(sent)).toEqual([
      ['DECODED', true],
      ['PUBLISHED', true],
      ['ALLOWED', true],
      ['MATCHED', true],
      ['QUEUED', true],
      ['SENT', true],
    ])
    expect(sent.whyNot).toMatchObject({
      isWanted: true,
      reason: '1 open subscription handed it to the connection.',
    })

    const filtered = await askWhy(url, 'ada', cursor, named, { name: 'other' })
    expect(passed(filtered)?.at(-1)).toEqual(['MATCHED', false])
    expect(filtered.whyNot?.reason).toContain('`where.name.equals` is not true of the row after it')
    expect(filtered.text).not.toContain(SECRET)
    const action = await askWhy(
      url,
      'ada',
      cursor,
      'subscription { tagChanged(action: [DELETE]) { cursor } }',
    )
    expect(action.whyNot?.reason).toBe('`action` does not name INSERT, which it is.')

    // One that began too late, and one that does not read.
    const late = createWsClient(url)
    const everything = 'subscription { tagChanged { cursor } }'
    late.subscribe(everything)
    await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: NET_MS }).toBe(2)
    const began = await askWhy(url, 'ada', cursor, everything)
    expect(passed(began)?.at(-1)).toEqual(['QUEUED', false])
    expect(began.whyNot?.reason).toContain('began after the change')
    await early.close()
    await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: NET_MS }).toBe(1)
    const gone = await askWhy(url, 'ada', cursor, named, { name: SECRET })
    expect(passed(gone)?.at(-1)).toEqual(['QUEUED', null])
    expect(gone.whyNot?.isWanted).toBe(true)
    await late.close()

    // Cursors of nothing, of another model, of another time.
    const between = await askWhy(url, 'ada', `${cursor.slice(0, -8)}80000000`, named, { name: SECRET })
    expect(passed(between)?.[0]).toEqual(['DECODED', false])
    const other = await askWhy(url, 'ada', cursor, 'subscription { userChanged { cursor } }')
    expect(other.whyNot?.reason).toBe('The change at this cursor is not of User.')
    const foreign = await askWhy(url, 'ada', `01${'0'.repeat(48)}`, named, { name: SECRET })
    expect(foreign.whyNot).toMatchObject({
      isWanted: null,
      reason: expect.stringContaining('another database'),
    })
    expect((await askWhy(url, 'ada', 'nonsense', named, { name: SECRET })).code).toBe('BAD_CURSOR')
  })

  it('shows nobody more than they may see', { timeout: 120_000 }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, { context, config: CONFIG })
    const { url, service } = running
    await service.rowcast.ready()
    const { rowcast } = service
    const insert = (name: string) =>
      cursorOf(
        database,
        rowcast,
        'User',
        `INSERT INTO users (email, full_name) VALUES ('${name}@x.org', '${SECRET}')`,
      )
    const cursor = await insert('bob')
    const users = 'subscription { userChanged(where: { fullName: { equals: "Ann" } }) { cursor } }'

    expect((await askWhy(url, 'nobody', cursor, users)).code).toBe('FORBIDDEN')
    const hidden = await askWhy(url, 'ada', cursor, users)
    expect(passed(hidden)?.at(-1)).toEqual(['ALLOWED', false])
    expect(hidden.whyNot?.reason).toBe('A policy hides it: `rows` of User.')
    const seen = await askWhy(url, 'root', cursor, users)
    expect(seen.whyNot?.reason).toContain('`where.fullName.equals` is not true')
    const own = await askWhy(url, 'ada', await insert('ada'), users)
    expect(own.whyNot?.reason).toContain('`where.fullName.equals` is not true')

    // Of a model that is not theirs, not even whether there is a change.
    const posts = await askWhy(url, 'ada', cursor, 'subscription { postChanged { cursor } }')
    expect(passed(posts)).toEqual([['ALLOWED', false]])
    expect(posts.whyNot?.reason).toBe('A policy denies the subscription: `canSubscribe` of Post.')
    for (const { text } of [hidden, seen, own, posts]) expect(text).not.toContain(SECRET)

    for (const subscription of [
      'subscription { nothing }',
      'query { tags { name } }',
      'subscription {',
      'subscription { rowcastActivity { skipped } }',
      'subscription ($n: Int!) { tagChanged(where: { name: { contains: "x" } }) { cursor } }',
    ]) {
      expect((await askWhy(url, 'ada', cursor, subscription)).code).toBe('GRAPHQL_BAD_ARGUMENT')
    }
    expect(
      (await askWhy(url, 'ada', cursor, 'subscription { tagChanged(where: { id: 1e99 }) { cursor } }')).code,
    ).toBe('GRAPHQL_BAD_ARGUMENT')
  })

  it('is not in the schema unless the config says who may ask', { timeout: 60_000 }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const answer = await askWhy(
      running.url,
      'ada',
      `01${'0'.repeat(48)}`,
      'subscription { tagChanged { cursor } }',
    )
    expect(answer.code).toBe('GRAPHQL_VALIDATION_FAILED')
    await using folder = await openCliFolder({})
    const cli = await folder.run(['why', '--cursor', 'x', '--subscription', 'x', '--url', running.url])
    expect(cli.stderr).toContain('canExplain')
  })
})

describe('rowcast why', () => {
  it('asks the service and prints the steps', { timeout: 120_000 }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, { context, config: CONFIG })
    const { rowcast } = running.service
    await rowcast.ready()
    const cursor = await cursorOf(database, rowcast, 'Tag', `INSERT INTO "Tag" (name) VALUES ('${SECRET}')`)
    await using folder = await openCliFolder({ DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database) })
    const subscription =
      'subscription ($n: String) { tagChanged(where: { name: { equals: $n } }) { cursor } }'
    const why = (...more: readonly string[]) =>
      folder.run(['why', '--cursor', cursor, '--subscription', subscription, '--url', running.url, ...more])
    const reported = await why('--variables', '{"n": "other"}', '--header', 'x-name: ada')
    expect(reported.code).toBe(3)
    expect(reported.stdout).toMatch(
      /✓ decoded +It is a change of Tag\.\n✓ published .*\n✓ allowed .*\n✗ matched .*`where\.name\.equals` is not true/,
    )
    expect(reported.stdout).not.toContain(SECRET)
    const json = await why('--variables', '{"n": "other"}', '--header', 'x-name: ada', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ isWanted: false, steps: { length: 4 } })
    const refused = await why()
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('You may not ask why')])
    const nowhere = await folder.run([
      'why',
      '--cursor',
      cursor,
      '--subscription',
      'x',
      '--url',
      'http://127.0.0.1:1',
      '--json',
    ])
    expect(JSON.parse(nowhere.stderr)).toMatchObject({ error: { code: 'CLI_NO_ANSWER' } })
  })
})

it('rowcast.why() shows the library the same', { timeout: 120_000 }, async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Tag'] })
  const changes = live.rowcast.subscribe('Tag')
  await database.query(`INSERT INTO "Tag" (name) VALUES ('one')`)
  const [change] = await takeChanges(changes, 1)
  const cursor = change?.cursor ?? ''
  expect(await live.rowcast.why('Tag', { cursor, where: { name: 'one' } })).toMatchObject({ isWanted: true })
  expect(await live.rowcast.why('Tag', { cursor, where: { name: { in: ['two'] } } })).toMatchObject({
    isWanted: false,
    reason: expect.stringContaining('`where.name.in`'),
  })
  await changes.return?.()
})

const ADA = '00000000-0000-4000-8000-00000000000a'
const TEAM = '00000000-0000-4000-8000-00000000000c'

/** Two posts; in between a membership that makes the second one visible, and goes again before the third. */
const MEMBERSHIPS = [
  `INSERT INTO "Post" (id, "authorId", title, "teamId") VALUES (1, '${ADA}', '${SECRET}', '${TEAM}')`,
  `INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${TEAM}')`,
  `INSERT INTO "Post" (id, "authorId", title, "teamId") VALUES (2, '${ADA}', '${SECRET}', '${TEAM}')`,
  `DELETE FROM team_memberships`,
  `UPDATE "Post" SET title = 'other' WHERE id = 2`,
]

describe('where other rows decide', () => {
  const mine = { team: { memberships: { some: { userId: ADA } } } }

  it('names the set, the key and the change that put it there or took it out', {
    timeout: 120_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    const models = {
      ...{ User: {}, Team: {}, Membership: {} },
      Post: { rows: (viewer: object) => (nameOf(viewer) === 'root' ? ('all' as const) : mine) },
    }
    const canExplain = (viewer: object) => (nameOf(viewer) === 'eve' ? 'policies' : true)
    await using running = await openService(database, { context, config: { models, debug: { canExplain } } })
    const { url, service } = running
    const { rowcast } = service
    await rowcast.ready()
    await database.query(
      `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x');
       INSERT INTO "Team" (id, name, slug) VALUES ('${TEAM}', 'team', 'team')`,
    )
    const after = await rowcast.changeCursor()
    for (const sql of MEMBERSHIPS) await database.query(sql)
    const [posts, joined] = [
      rowcast.subscribe('Post', { after }),
      rowcast.subscribe('Membership', { after }),
    ] as const
    const [early, second, third] = (await takeChanges(posts as never, 3)).map(({ cursor }) => cursor)
    const [given, taken] = (await takeChanges(joined as never, 2)).map(({ cursor }) => cursor)
    const why = (cursor: string | undefined) =>
      (rowcast as unknown as { why(model: string, options: object): Promise<Explanation> }).why('Post', {
        cursor: cursor ?? '',
        where: mine,
      })

    // The library: before it was given, while it was there, when it had gone.
    expect(await why(early)).toMatchObject({
      isWanted: false,
      reason:
        'It is not what the subscription asks for: `where.team.memberships` is not true of the row after it. ' +
        '`teamId` of the row after it is no key of `Team.id`, as it was before what this process retains.',
    })
    expect(await why(second)).toMatchObject({
      isWanted: true,
      reason:
        `It is what the subscription asks for. \`teamId\` of the row after it is a key of \`Team.id\`: ` +
        `the INSERT of Membership at ${given} put it there.`,
    })
    const gone = await why(third)
    expect(gone.isWanted).toBe(false)
    expect(gone.reason).toContain(`no key of \`Team.id\`: the DELETE of Membership at ${taken} took it out.`)

    // What was written elsewhere, and moved rows.
    expect((await why(given)).steps.at(-1)?.text).toBe(
      `Its transaction put 1 key into \`Team.id\`, by the INSERT of Membership at ${given}. ` +
        `Its transaction put 1 key into \`Membership.teamId\`, by the INSERT of Membership at ${given}. ` +
        'Rows of Post that it moved come as READ.',
    )

    // In GraphQL a policy is not described, but to those who may know; a filter of one's own is.
    const all = 'subscription { postChanged { cursor } }'
    const hidden = await askWhy(url, 'ada', third ?? '', all)
    expect(hidden.whyNot).toMatchObject({ isWanted: false, reason: 'A policy hides it: `rows` of Post.' })
    const named = await askWhy(url, 'eve', third ?? '', all)
    expect(named.whyNot?.reason).toContain(`the DELETE of Membership at ${taken} took it out`)
    const seen = await askWhy(url, 'ada', second ?? '', all)
    expect(seen.whyNot).toMatchObject({ isWanted: true, reason: 'It is what the subscription asks for.' })
    const text = `subscription { postChanged(where: { team: { is: { memberships: { some: { userId: { equals: "${ADA}" } } } } } }) { cursor } }`
    const own = await askWhy(url, 'root', third ?? '', text)
    expect(own.whyNot?.reason).toContain(
      '`where.team.is` is not true of the row after it, nor `where.team.is` of the row before it.',
    )
    expect(own.whyNot?.reason).toContain(`the DELETE of Membership at ${taken} took it out`)
    const other = await askWhy(url, 'ada', taken ?? '', all)
    expect(other.whyNot?.reason).toBe('The change at this cursor is not of Post.')
    // Whose rows the policy lets one see decides about those of a filter of one's own: by what, is not said.
    const authors =
      'subscription { userChanged(where: { posts: { some: { title: { not: { equals: "none" } } } } }) { cursor } }'
    const writers = rowcast.subscribe('User', { after, where: { posts: { some: mine } } } as never)
    const [read] = await takeChanges(writers as never, 1)
    const moved = await askWhy(url, 'ada', read?.cursor ?? '', authors)
    expect(moved.text).toContain('Its transaction put')
    expect(moved.text).not.toContain('Membership')
    for (const answer of [hidden, named, seen, own, other, moved]) expect(answer.text).not.toContain(SECRET)
    for (const each of [posts, joined, writers]) await each.return?.()
  })
})
