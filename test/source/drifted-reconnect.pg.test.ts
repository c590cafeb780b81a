/** What is wrong with one model's table keeps no other model waiting, also where set-up runs at each connect. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'

it.each([false, true])(
  'a connection is lost after one table is gone: the others go on (enableOnStart: %s)',
  async (enableOnStart) => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['Tag', 'User'], enableOnStart })
    const { rowcast, prisma } = live
    const tags = rowcast.subscribe('Tag')[Symbol.asyncIterator]()
    await prisma.tag.create({ data: { name: 'a' } as never })
    await takeChanges(tags, 1)
    await database.query('DROP TABLE users CASCADE')
    const terminate =
      'SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = $1'
    await database.query(terminate, [slotOf(database)])
    await prisma.tag.create({ data: { name: 'b' } as never })
    const [change] = await takeChanges(tags, 1)
    expect(change).toMatchObject({ action: 'INSERT', new: { name: 'b' } })
    await expect.poll(() => rowcast.status().drifted.map(({ model }) => model)).toEqual(['User'])
  },
)
