/** Values that cannot be shown: each fails its own field, with a code, and nothing beside it. */
import { describe, expect, test } from 'vitest'
import { STREAM_TRANSPORTS, TRANSPORTS } from '../security/transports.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

const CHANGES = `subscription ($after: Cursor, $where: UserWhere) {
  userChanged(after: $after, where: $where) {
    action cursor changed key { rowId } old { email settings } new { email settings }
  }
}`
const NAMES = 'subscription ($after: Cursor) { userChanged(after: $after) { action new { email } } }'

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

interface Row {
  readonly email: string
  readonly settings: unknown
}

interface Payload {
  readonly userChanged: {
    readonly action: string
    readonly cursor: string
    readonly changed: readonly string[]
    readonly key: object | null
    readonly old: Row | null
    readonly new: Row | null
  }
}

/** Writes rows that are fine around rows that are not. */
async function writePoison(database: TestDatabase, depth: number): Promise<void> {
  await database.query("INSERT INTO users (email) VALUES ('before@example.com')")
  await database.query('INSERT INTO users (email, settings) VALUES ($1, $2)', [
    'deep@example.com',
    nested(depth),
  ])
  await database.query("UPDATE users SET full_name = 'Deep' WHERE email = 'deep@example.com'")
  await database.query("UPDATE users SET settings = '{}' WHERE email = 'deep@example.com'")
  await database.query("INSERT INTO users (email) VALUES ('after@example.com')")
}

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    test.each([2_500, 5_000, 6_000])(
      'jsonb nested %i deep fails its field; the rest of the change, and all others, arrive',
      async (depth) => {
        await using database = await openDatabase({ migrate: true })
        await using running = await openService(database, { config: { livePage: true } as never })
        await running.service.rowcast.ready()
        const after = await running.service.rowcast.changeCursor()
        const beside = await transport.open(running.url, NAMES, { variables: { after } })
        await using stream = {
          ...(await transport.open(running.url, CHANGES, { variables: { after, where: null } })),
          [Symbol.asyncDispose]: () => stream.leave(),
        }
        await writePoison(database, depth)
        const answers = []
        for (let count = 0; count < 5; count += 1) answers.push(await stream.next())
        const changes = answers.map(({ data }) => (data as Payload).userChanged)
        expect(changes.map(({ action }) => action)).toEqual([
          'INSERT',
          'INSERT',
          'UPDATE',
          'UPDATE',
          'INSERT',
        ])
        expect(changes.map(({ changed }) => changed.includes('settings'))).toEqual([
          false,
          false,
          false,
          true,
          false,
        ])
        expect(changes.every(({ cursor, key }) => cursor !== '' && key !== null)).toBe(true)
        expect(answers.map(({ errors }) => errors.map(({ extensions }) => extensions?.['code']))).toEqual([
          [],
          ['GRAPHQL_VALUE_UNREPRESENTABLE'],
          ['GRAPHQL_VALUE_UNREPRESENTABLE', 'GRAPHQL_VALUE_UNREPRESENTABLE'],
          ['GRAPHQL_VALUE_UNREPRESENTABLE'],
          [],
        ])
        expect(changes[3]?.new).toEqual({ email: 'deep@example.com', settings: {} })
        for (let count = 0; count < 5; count += 1) expect((await beside.next()).errors).toEqual([])
        await beside.leave()
      },
    )

    test('a filter on the value ends its own subscription, with the cursor to go on after', async () => {
      await using database = await openDatabase({ migrate: true })
      await using running = await openService(database)
      await running.service.rowcast.ready()
      const after = await running.service.rowcast.changeCursor()
      const where = { settings: { path: ['a'], equals: 1 } }
      await writePoison(database, 3_000)
      const stream = await transport.open(running.url, CHANGES, { variables: { after, where } })
      const beside = await transport.open(running.url, NAMES, { variables: { after } })
      expect(await stream.ended()).toBe('FILTER_UNANSWERABLE')
      for (let count = 0; count < 5; count += 1) expect((await beside.next()).errors).toEqual([])
      await beside.leave()
    })
  },
)

test.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'a query over %s gets all rows but the value',
  async (_, transport) => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await database.query('INSERT INTO users (email, settings, profile) VALUES ($1, $2, $2)', [
      'deep@example.com',
      nested(5_000),
    ])
    await database.query("INSERT INTO users (email) VALUES ('fine@example.com')")
    const { data, errors } = await transport.ask(running.url, '{ users { email profile } }')
    const { users } = data as { users: readonly { email: string; profile: unknown }[] }
    expect(users.map(({ email, profile }) => [email, profile]).sort()).toEqual([
      ['deep@example.com', null],
      ['fine@example.com', null],
    ])
    expect(errors.map(({ extensions }) => extensions?.['code'])).toEqual(['GRAPHQL_VALUE_UNREPRESENTABLE'])
  },
)

test.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'JSON null in a required column is null, and a date that is none says where to go on, over %s',
  async (_, transport) => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const after = await running.service.rowcast.changeCursor()
    await database.query("INSERT INTO users (email, settings) VALUES ('null@example.com', 'null')")
    await database.query("INSERT INTO users (email, created_at) VALUES ('date@example.com', 'infinity')")
    await database.query("INSERT INTO users (email) VALUES ('after@example.com')")
    const document = `subscription ($after: Cursor) { userChanged(after: $after) {
      cursor new { email settings createdAt } } }`
    const stream = await transport.open(running.url, document, { variables: { after } })
    const [json, date, last] = [await stream.next(), await stream.next(), await stream.next()]
    expect([json.errors, json.data]).toMatchObject([[], { userChanged: { new: { settings: null } } }])
    const extensions = date.errors[0]?.extensions
    expect(extensions).toMatchObject({ code: 'GRAPHQL_VALUE_UNREPRESENTABLE', reason: 'date-out-of-range' })
    expect(last.data).toMatchObject({ userChanged: { new: { email: 'after@example.com' } } })
    const cursor = extensions?.['cursor'] ?? (date.data as Payload).userChanged.cursor
    const resumed = await transport.open(running.url, document, { variables: { after: cursor } })
    expect((await resumed.next()).data).toEqual(last.data)
    await resumed.leave()
    await stream.leave()
  },
)

test.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'NaN and infinite dates in required columns fail their own fields, in a query over %s as in a subscription',
  async (_, transport) => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const [stream] = STREAM_TRANSPORTS
    if (stream === undefined) throw new Error('There is no transport with streams.')
    const document = `subscription { userChanged(action: [INSERT, UPDATE]) {
      new { ...Row } ... on UserUpdated { old { email reputation createdAt updatedAt settings } } } }
      fragment Row on User { email reputation createdAt updatedAt settings }`
    const changes = await stream.open(running.url, document)
    await database.query(`INSERT INTO users (email, reputation, created_at, updated_at, settings)
      VALUES ('odd@example.com', 'NaN', '-infinity', '12345-01-01', 'null'), ('fine@example.com', 0.5, '2026-01-01', '2026-01-01', '{}')`)
    const inserted = [await changes.next(), await changes.next()]
    const { data, errors } = await transport.ask(
      running.url,
      '{ users { email reputation createdAt updatedAt settings } }',
    )
    const users = (data as { users: readonly Row[] }).users
    const odd = {
      email: 'odd@example.com',
      reputation: null,
      createdAt: null,
      updatedAt: null,
      settings: null,
    }
    const rowOf = (answer: { data?: unknown }) => (answer.data as Payload).userChanged.new
    expect(users).toContainEqual(odd)
    expect(users).toContainEqual(expect.objectContaining({ email: 'fine@example.com', reputation: 0.5 }))
    for (const answer of inserted) expect(users).toContainEqual(rowOf(answer))
    const failures = [
      ['reputation', 'The value of User.reputation cannot be shown (not-finite).', 'not-finite'],
      ['createdAt', 'The value of User.createdAt cannot be shown (date-out-of-range).', 'date-out-of-range'],
      ['updatedAt', 'The value of User.updatedAt cannot be shown (date-out-of-range).', 'date-out-of-range'],
    ]
    const reported = (list: typeof errors) =>
      list.map(({ path, message, extensions }) => [path?.at(-1), message, extensions?.['reason']])
    expect(reported(errors)).toEqual(failures)
    expect(reported(inserted.flatMap((answer) => answer.errors))).toEqual(failures)
    await database.query("UPDATE users SET full_name = 'Odd' WHERE email = 'odd@example.com'")
    const updated = await changes.next()
    expect((updated.data as Payload).userChanged).toMatchObject({ old: odd, new: odd })
    expect(reported(updated.errors)).toEqual(expect.arrayContaining(failures))
    expect(updated.errors).toHaveLength(2 * failures.length)
    await changes.leave()
  },
)
