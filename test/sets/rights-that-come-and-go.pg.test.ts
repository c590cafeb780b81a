/**
 * Rights that come and go within one transaction, tables of rights that are emptied, rows and rights that move between partitions, keys that
 * change: for whoever takes each event, for one that is given the latest alone, and for a live list. What was never to be seen is never shown.
 */
import { expect, it } from 'vitest'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { ListClient, type ListEvent } from '../support/list-oracle.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { provideRelationProject, RELATION_TABLES } from '../support/relation-schema.ts'

/** Posts by their key, members by their team: an UPDATE of it moves a row from one partition to the other. */
const TABLES = `${RELATION_TABLES.replace(
  '"authorId" int NOT NULL);',
  '"authorId" int NOT NULL) PARTITION BY RANGE (id);',
).replace(
  'PRIMARY KEY ("userId", "teamId"));',
  'PRIMARY KEY ("userId", "teamId")) PARTITION BY RANGE ("teamId");',
)}
CREATE TABLE post_low PARTITION OF "Post" FOR VALUES FROM (0) TO (100);
CREATE TABLE post_high PARTITION OF "Post" FOR VALUES FROM (100) TO (1000);
CREATE TABLE member_low PARTITION OF "Member" FOR VALUES FROM (0) TO (5);
CREATE TABLE member_high PARTITION OF "Member" FOR VALUES FROM (5) TO (100);`

const ME = 1
const WHERE = { team: { is: { members: { some: { userId: ME } } } } }
const FOUND = `SELECT p.id, p.title FROM "Post" p WHERE EXISTS
  (SELECT FROM "Member" m JOIN "Team" t ON t.id = m."teamId" WHERE t.id = p."teamId" AND m."userId" = ${ME}) ORDER BY p.id`

const given = (user: number, team: number) => `INSERT INTO "Member" VALUES (${user}, ${team}, 'a')`
const taken = (user: number, team: number) =>
  `DELETE FROM "Member" WHERE "userId" = ${user} AND "teamId" = ${team}`
const post = (id: number, title: string, team: number) =>
  `INSERT INTO "Post" VALUES (${id}, '${title}', ${team}, 1)`

/** Each a transaction. Posts of team 3 are never mine, between two commits. */
const STEPS: readonly (readonly string[])[] = [
  [given(ME, 1), post(1, 'one', 1), post(3, 'secret', 3)],
  [given(ME, 3), `UPDATE "Post" SET title = 'secret too' WHERE id = 3`, post(4, 'secret', 3), taken(ME, 3)],
  [taken(ME, 1), post(5, 'five', 1), given(ME, 1)],
  [taken(ME, 1), `UPDATE "Post" SET title = 'secret while gone' WHERE id = 1`],
  [`UPDATE "Post" SET title = 'back' WHERE id = 1`, given(ME, 1)],
  // From one partition to the other.
  ['UPDATE "Post" SET id = 101 WHERE id = 1'],
  [
    'UPDATE "Post" SET id = 2, "teamId" = 3 WHERE id = 5',
    'UPDATE "Post" SET "teamId" = 1, id = 105 WHERE id = 2',
  ],
  [`INSERT INTO "Team" VALUES (7, 'seven', true)`, post(107, 'seven', 7)],
  ['UPDATE "Member" SET "teamId" = 7 WHERE "teamId" = 1'],
  ['UPDATE "Member" SET "teamId" = 1 WHERE "teamId" = 7', given(ME, 7), taken(ME, 7)],
  // A key that others point at.
  [
    'UPDATE "Team" SET id = 2 WHERE id = 1',
    'UPDATE "Member" SET "teamId" = 2 WHERE "teamId" = 1',
    'UPDATE "Post" SET "teamId" = 2 WHERE "teamId" = 1',
  ],
  ['TRUNCATE "Member"'],
  [given(ME, 2)],
  ['TRUNCATE "Member"', given(ME, 7), post(8, 'eight', 2)],
  ['TRUNCATE "Post"', post(9, 'nine', 7), given(ME, 2), post(10, 'ten', 2)],
]

interface Event {
  readonly action: string
  readonly transition: string | null
  readonly key: { readonly id: number } | null
  readonly old: { readonly id: number; readonly title: string } | null
  readonly new: { readonly id: number; readonly title: string } | null
}

interface Loose {
  subscribe(model: string, options: object): AsyncIterableIterator<Event>
  list(model: string, options: object): AsyncIterableIterator<ListEvent>
}

type Rows = Map<number, string>

function fold(rows: Rows, { action, transition, key, old, new: row }: Event): void {
  if (action === 'TRUNCATE') rows.clear()
  for (const each of [key, old]) if (each != null) rows.delete(each.id)
  if (row != null && transition !== 'LEFT') rows.set(row.id, row.title)
}

const textOf = (rows: Iterable<readonly [number, string]>) =>
  JSON.stringify([...rows].sort(([a], [b]) => a - b))

it('are what a query finds after each transaction, and nothing else is shown', {
  timeout: 120_000,
}, async () => {
  const project = await provideRelationProject('relations-parted')
  await using database = await openDatabase()
  await database.query(TABLES)
  await database.query(`INSERT INTO "Team" VALUES (1, 'one', true), (3, 'three', true)`)
  const prisma = project.createPrisma(database.url)
  const rowcast: Rowcast = createRowcast({
    ...{ prisma, catalog: project.catalog, url: database.url, slot: slotOf(database) },
  } as never)
  for (const model of ['Post', 'Team', 'Member']) rowcast.register(model)
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  const loose = rowcast as unknown as Loose
  const shown: string[] = []
  const found = async () =>
    textOf(
      (await database.query<{ id: number; title: string }>(FOUND)).map(
        ({ id, title }) => [id, title] as const,
      ),
    )
  try {
    const plain = loose.subscribe('Post', { where: WHERE, initial: true })
    const slow = loose.subscribe('Post', { where: WHERE, initial: true, overflow: 'conflate' })
    // It begins now, and takes nothing until the end.
    const firstOfSlow = slow.next()
    const client = new ListClient()
    const ending = new AbortController()
    const listing = (async () => {
      for await (const event of loose.list('Post', { where: WHERE, signal: ending.signal }))
        client.apply(event)
    })()
    const listed = () =>
      textOf(
        (client.rows as unknown as { id: number; title: string }[]).map(
          ({ id, title }) => [id, title] as const,
        ),
      )
    const rows: Rows = new Map()
    for (const step of STEPS) {
      await database.query(['BEGIN', ...step, 'COMMIT'].join(';'))
      const wanted = await found()
      for (let looks = 0; textOf(rows) !== wanted; looks += 1) {
        const { value } = (await plain.next()) as { value: Event }
        for (const row of [value.old, value.new]) if (row != null) shown.push(row.title)
        fold(rows, value)
        expect(looks, `${step.join()}: ${textOf(rows)} and not ${wanted}`).toBeLessThan(20)
      }
      await expect.poll(listed, { timeout: 20_000, interval: 10 }).toBe(wanted)
    }
    const wanted = await found()
    const had: Rows = new Map()
    for (let next = await firstOfSlow; ; next = await slow.next()) {
      const { value } = next as { value: Event }
      for (const row of [value.old, value.new]) if (row != null) shown.push(row.title)
      fold(had, value)
      if (textOf(had) === wanted) break
    }
    expect(shown.filter((title) => title.startsWith('secret'))).toEqual([])
    expect(shown).toContain('back')
    ending.abort()
    await listing
    await slow.return?.()
    await plain.return?.()
    // Without whole old rows nobody can say what goes: it ends, and does not guess.
    const [later, conflating] = ['end', 'conflate'].map((overflow) =>
      loose.subscribe('Post', { where: WHERE, initial: true, overflow }),
    )
    for (const each of [later, conflating])
      for (let action = ''; action !== 'READY'; action = (await each?.next())?.value.action);
    await database.query(
      `ALTER TABLE member_high REPLICA IDENTITY DEFAULT; ALTER TABLE member_low REPLICA IDENTITY DEFAULT; ALTER TABLE "Member" REPLICA IDENTITY DEFAULT`,
    )
    await database.query(`UPDATE "Member" SET role = 'b'; DELETE FROM "Member"`)
    for (const each of [later, conflating]) {
      let failure: unknown = null
      const events: Event[] = []
      while (failure === null) {
        const next = await each?.next().catch((error: unknown) => {
          failure = error
        })
        if (next !== undefined) events.push((next as { value: Event }).value)
      }
      expect(failure).toMatchObject({
        code: expect.stringMatching(/RESYNC_REQUIRED|FILTER_UNANSWERABLE|SOURCE_|CATALOG_/),
      })
      expect(events.filter(({ new: row }) => row != null)).toEqual([])
    }
  } finally {
    await rowcast.stop()
    await prisma.$disconnect()
  }
})
