/** One tap, Redis, gateways: what subscribers of a gateway get, on a real PostgreSQL and a real Redis. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'

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
    await database.query('BEGIN; DELETE FROM users; TRUNCATE users CASCADE; COMMIT')
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
    expect(plain(first)).toStrictEqual(plain(expected))
    expect(plain(second)).toStrictEqual(plain(expected))
  })
})
