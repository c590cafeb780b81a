/** Clients that ask for the same rows at once: the database is asked once for those who wait together. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { countStatements } from '../support/statement-counter.ts'

const ADA = '00000000-0000-4000-8000-000000000001'
const TEAM = '00000000-0000-4000-8000-000000000002'
const CLIENTS = 1_000
const POSTS = 3
/** As PostgreSQL calls them. */
const TABLES = ['Post', 'Team', 'team_memberships']

it('a thousand clients of one audience begin with the rows that were read for all of them', async () => {
  await using database = await openDatabase({ migrate: true })
  const counter = countStatements()
  const prisma = counter.createPrisma(database.url)
  const rowcast = createRowcast({
    ...{ prisma, catalog, connectionString: database.url, slot: slotOf(database), enableOnStart: true },
  })
  for (const model of ['Post', 'Team', 'Membership'] as const) rowcast.register(model)
  try {
    await prisma.user.create({ data: { id: ADA, email: 'ada@x' } })
    await prisma.team.create({ data: { id: TEAM, slug: 'a', name: 'a' } })
    await prisma.membership.create({ data: { userId: ADA, teamId: TEAM } })
    const data = Array.from({ length: POSTS }, (_, n) => ({ title: `${n}`, authorId: ADA, teamId: TEAM }))
    await prisma.post.createMany({ data })
    rowcast.start()
    await rowcast.ready()
    const before = TABLES.map(counter.readsOf)
    const where = { team: { memberships: { some: { userId: ADA } } } }
    const rows = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const found: unknown[] = []
        for await (const event of rowcast.subscribe('Post', { where, initial: true })) {
          if (event.action === 'READY') break
          found.push(event.new)
        }
        return found
      }),
    )
    expect(rows.every((each) => each.length === POSTS)).toBe(true)
    const reads = TABLES.map((table, index) => counter.readsOf(table) - (before[index] ?? 0))
    const [posts, ...ofSets] = reads
    expect(ofSets).toEqual([1, 1])
    // Whoever comes while two reads are under way waits for a third.
    expect(posts).toBeGreaterThan(0)
    expect(posts).toBeLessThanOrEqual(3)
    // Each has rows of its own.
    const [one, other] = rows.map(([first]) => first as { createdAt: Date })
    expect(one).toEqual(other)
    expect(one?.createdAt).not.toBe(other?.createdAt)
  } finally {
    await rowcast.stop()
    await prisma.$disconnect()
  }
})
