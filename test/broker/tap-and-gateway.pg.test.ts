/** One tap, Redis, gateways: what subscribers of a gateway get, on a real PostgreSQL and a real Redis. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openService } from '../support/live-service.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'
import { createWsClient } from '../support/ws-client.ts'

describe.skipIf(NO_REDIS !== null)('a tap and gateways', () => {
  it('deliver the very objects that one process alone delivers, on every gateway', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using one = await openRole(database, 'gateway', { redisUrl: redis.url })
    await using two = await openRole(database, 'gateway', { redisUrl: redis.url })
    await using alone = await openLiveRowcast(database, {
      slot: `${slotOf(database)}_b`,
      publication: 'other',
      models: ['User', 'Post', 'Tag'],
    })
    const subscriptions = [one, two, alone].map(({ rowcast }) => rowcast.subscribe('User'))
    await database.query(
      `INSERT INTO users (email, tags, avatar, balance) VALUES ('ada@example.com', '{x,"y z"}', '\\x00ff', 1234567.89)`,
    )
    await database.query(`UPDATE users SET full_name = 'Ada'`)
    await database.query(
      `BEGIN; SELECT pg_logical_emit_message(true, 'rowcast.metadata', '{"actor":"ada"}');
       DELETE FROM users; TRUNCATE users CASCADE; COMMIT`,
    )
    const [first, second, expected] = await Promise.all(subscriptions.map((each) => takeChanges(each, 4)))
    const plain = (changes: typeof expected) =>
      changes?.map((change) => ({
        ...{
          action: change.action,
          old: change.old,
          new: change.new,
          key: change.key,
          cursor: change.cursor,
        },
        ...{ changed: change.changed, unavailable: change.unavailable, index: change.index },
        transaction: change.transaction,
      }))
    expect(expected?.map(({ action }) => action)).toEqual(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
    expect(expected?.map(({ transaction }) => transaction.metadata)).toEqual([
      ...[null, null],
      ...[{ actor: 'ada' }, { actor: 'ada' }],
    ])
    expect(plain(first)).toStrictEqual(plain(expected))
    expect(plain(second)).toStrictEqual(plain(expected))
  })

  it('lose no transaction that ends right behind a message outside it, and put the message first', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const messages = gateway.rowcast.messages({ prefix: 'beside' })
    const message = `pg_logical_emit_message(false, 'beside', repeat('x', n))`
    const transactions = [1, 1, 3, 1].map((rows, n) => ({ rows, first: n * 10 }))
    // The message's record is the last before that of the commit, whatever its length.
    for (const { rows, first } of transactions) {
      await database.query(
        `BEGIN; INSERT INTO "Tag" (name) SELECT 'tag ' || m FROM generate_series(${first}, ${first + rows - 1}) AS m;
         DO $$ BEGIN FOR n IN 1..5 LOOP PERFORM ${message}; END LOOP; END $$; COMMIT`,
      )
    }
    const names = transactions.flatMap(({ rows, first }) =>
      Array.from({ length: rows }, (_, index) => `tag ${first + index}`),
    )
    const changes = await takeChanges(live, names.length)
    expect(changes.map((change) => change.new?.name)).toEqual(names)
    const commits = new Set(changes.map((change) => change.transaction.commitLsn))
    const reported = []
    for (let count = 0; count < 20; count += 1) reported.push((await messages.next()).value?.lsn)
    // What the fault was about: a message that ends where a commit begins.
    expect(reported.filter((lsn) => lsn !== undefined && commits.has(lsn))).toHaveLength(transactions.length)
  })

  it('show each viewer at a gateway what its filter asks for and its policy lets through', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openService(database, {
      context: (source) => ({
        context: { viewer: source.kind === 'websocket' ? source.connectionParams['viewer'] : null },
      }),
      config: {
        ...{ role: 'gateway', broker: redis.url },
        models: { Post: { rows: (context) => ({ authorId: String(Reflect.get(context, 'viewer')) }) } },
      },
    })
    await gateway.service.rowcast.ready()
    const [ada, bob] = ['a', 'b'].map((end) => `00000000-0000-4000-8000-00000000000${end}`)
    await database.query(
      `INSERT INTO users (id, email) VALUES ('${ada}', 'ada@example.com'), ('${bob}', 'bob@example.com')`,
    )
    // Ada twice: what one is sent is sent to the other.
    const clients = [ada, ada, bob].map((viewer) => createWsClient(gateway.url, { viewer }))
    const cursor = await gateway.service.rowcast.changeCursor()
    const subscriptions = clients.map((client) =>
      client.subscribe(
        `subscription ($after: Cursor) { postChanged(after: $after, where: { title: { startsWith: "x" } }) { new { title } } }`,
        { after: cursor },
      ),
    )
    await database.query(
      `INSERT INTO "Post" ("authorId", title, body) VALUES ('${ada}', 'x of Ada', ''), ('${bob}', 'y of Bob', ''),
         ('${ada}', 'y of Ada', ''), ('${bob}', 'x of Bob', ''), ('${ada}', 'x, the last of Ada', ''), ('${bob}', 'x, the last of Bob', '')`,
    )
    const seen = await Promise.all(
      subscriptions.map(async (each) => [await each.nextData(), await each.nextData()]),
    )
    const titles = (whose: string) =>
      [`x of ${whose}`, `x, the last of ${whose}`].map((title) => ({ postChanged: { new: { title } } }))
    expect(seen).toEqual([titles('Ada'), titles('Ada'), titles('Bob')])
    for (const client of clients) await client.close()
  })
})
