/** Filters end to end: through the library, through GraphQL, live and from a cursor. */
import { describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { openLiveRowcast, takeChanges } from './support/live-rowcast.ts'
import { openService } from './support/live-service.ts'
import { createWsClient } from './support/ws-client.ts'

async function insertUser(database: TestDatabase, email: string): Promise<string> {
  const [user] = await database.query<{ id: string }>('INSERT INTO users (email) VALUES ($1) RETURNING id', [
    email,
  ])
  return user?.id ?? ''
}

describe('a filtered subscription of the library', () => {
  it('sees rows enter, stay in and leave what it asks for, and nothing else', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const users = live.rowcast.subscribe('User', { where: { balance: { gte: 100 } } })
    const after = await live.rowcast.changeCursor()
    await insertUser(database, 'a@example.com')
    for (const balance of [50, 150, 200, 20, 120]) {
      await database.query('UPDATE users SET balance = $1', [balance])
    }
    await database.query('DELETE FROM users')
    const expected = [
      ['UPDATE', '50', '150'],
      ['UPDATE', '150', '200'],
      ['UPDATE', '200', '20'],
      ['UPDATE', '20', '120'],
      ['DELETE', '120', undefined],
    ]
    const describeChange = (c: {
      action: string
      old: { balance: unknown } | null
      new: { balance: unknown } | null
    }) => [c.action, c.old?.balance?.toString(), c.new?.balance?.toString()]
    expect((await takeChanges(users, 5)).map(describeChange)).toEqual(expected)
    // The same from the log.
    const again = live.rowcast.subscribe('User', { where: { balance: { gte: 100 } }, after })
    expect((await takeChanges(again, 5)).map(describeChange)).toEqual(expected)
  })

  it('combines old, new, changed and action', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const published = live.rowcast.subscribe('Post', {
      action: 'UPDATE',
      old: { status: 'IN_REVIEW' },
      new: { status: 'PUBLISHED' },
    })
    const retitled = live.rowcast.subscribe('Post', { changed: ['title'], action: 'UPDATE' })
    const author = await insertUser(database, 'a@example.com')
    await database.query(`INSERT INTO "Post" (id, "authorId", title) VALUES (1, $1, 'one')`, [author])
    for (const status of ['in-review', 'draft', 'in-review', 'published']) {
      await database.query('UPDATE "Post" SET status = $1::"PostStatus"', [status])
    }
    await database.query(`UPDATE "Post" SET title = 'two'`)
    expect((await takeChanges(published, 1))[0]?.new).toMatchObject({ status: 'PUBLISHED', title: 'one' })
    expect((await takeChanges(retitled, 1))[0]?.new).toMatchObject({ title: 'two' })
  })

  it('is refused where the database does not send what it asks about, and ended where that shows later', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const leaving = live.rowcast.subscribe('User', { where: { email: { startsWith: 'a' } } })
    await database.query('ALTER TABLE users REPLICA IDENTITY DEFAULT')
    await insertUser(database, 'a@example.com')
    await database.query(`UPDATE users SET full_name = 'A', email = 'b@example.com'`)
    expect((await takeChanges(leaving, 1))[0]?.action).toBe('INSERT')
    // Whether the row left `where` is not known: no false, no true, but a word. The subscriber asks for the rows again.
    await expect(leaving.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    // By now it is known.
    expect(() => live.rowcast.subscribe('User', { old: { email: 'b' } })).toThrow(
      /\[BAD_FILTER\].*REPLICA IDENTITY|FULL/,
    )
    const inserts = live.rowcast.subscribe('User', {
      action: 'INSERT',
      where: { email: { startsWith: 'c' } },
    })
    await insertUser(database, 'c@example.com')
    expect((await takeChanges(inserts, 1))[0]?.new?.email).toBe('c@example.com')
  })
})

describe('a filtered subscription over GraphQL', () => {
  it('reads as it works: where with transition, old and new, changed', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const after = await running.service.rowcast.changeCursor()
    const client = createWsClient(running.url)
    await client.connected()
    const editors = client.subscribe<{ userChanged: Record<string, unknown> }>(
      `subscription ($after: Cursor) {
         userChanged(where: { role: { equals: EDITOR }, email: { contains: "EXAMPLE", mode: INSENSITIVE } }, after: $after) {
           action transition old { email role } new { email role } } }`,
      { after },
    )
    const named = client.subscribe<{ userChanged: Record<string, unknown> }>(
      `subscription ($after: Cursor) {
         userChanged(action: UPDATE, old: { fullName: { equals: null } }, new: { NOT: { fullName: { equals: null } } },
                     changed: [fullName], after: $after) { new { fullName } changed } }`,
      { after },
    )
    await insertUser(database, 'ed@example.com')
    await database.query(`UPDATE users SET role = 'EDITOR'`)
    await database.query(`UPDATE users SET full_name = 'Ed'`)
    await database.query(`UPDATE users SET full_name = 'Eddie'`)
    await database.query(`UPDATE users SET role = 'MEMBER'`)
    const seen = []
    for (let i = 0; i < 4; i += 1) seen.push((await editors.nextData()).userChanged['transition'])
    expect(seen).toEqual(['ENTERED', 'STAYED', 'STAYED', 'LEFT'])
    expect((await named.nextData()).userChanged).toEqual({ new: { fullName: 'Ed' }, changed: ['fullName'] })
    await client.close()
  })

  it('explains a filter it cannot use', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const client = createWsClient(running.url)
    await client.connected()
    const tooLong = client.subscribe(
      `subscription ($ids: [ID!]) { userChanged(where: { id: { in: $ids } }) { action } }`,
      { ids: Array.from({ length: 1_200 }, () => '00000000-0000-0000-0000-000000000000') },
    )
    expect((await tooLong.next()).errors).toMatchObject([{ extensions: { code: 'BAD_FILTER' } }])
    const written = client.subscribe(
      'subscription { userChanged(where: { signInCount: { not: 1047 } }) { action } }',
    )
    expect(JSON.stringify(await written.ended())).toContain('{ not: { equals: … } }')
    const given = client.subscribe('subscription ($w: UserWhere) { userChanged(where: $w) { action } }', {
      w: { signInCount: { not: 1047 } },
    })
    expect(JSON.stringify(await given.next())).toContain('{ not: { equals: … } }')
    const hidden = client.subscribe(
      `subscription { userChanged(where: { passwordHash: { equals: "x" } }) { action } }`,
    )
    expect(JSON.stringify(await hidden.ended())).toContain('passwordHash')
    await client.close()
  })
})
