/** The recipes of docs/live-sets.md: what each gives after every step is what Prisma Client finds by the same rule. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { canonicalText } from '../../src/catalog/values/canonical-text.ts'
import { openDatabase } from '../support/database.ts'
import { listBlocks } from '../support/doc-blocks.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'

const [ADA, BOB, TEAM] = ['a', 'b', 'c'].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
const FOLDER = join(import.meta.dirname, '../generated')

/** As the examples have them. */
const AROUND = `type AppContext = { viewer: { id: string } }
const shared = {}
const defineConfig = (config: object) => config
`

interface Recipe {
  readonly model: 'Post' | 'Comment'
  readonly rows: (context: object) => object
}

async function readRecipes(): Promise<readonly Recipe[]> {
  const blocks = listBlocks('ts').filter(
    ({ place, text }) => place.startsWith('docs/live-sets.md') && text.includes('followed: true'),
  )
  await mkdir(FOLDER, { recursive: true })
  const recipes: Recipe[] = []
  for (const [index, { text }] of blocks.entries()) {
    const file = join(FOLDER, `recipe-${process.pid}-${index}.ts`)
    await writeFile(file, AROUND + text)
    const { default: config } = (await import(file)) as {
      default: { models: Record<string, { rows?: Recipe['rows'] }> }
    }
    await rm(file)
    for (const [model, { rows }] of Object.entries(config.models))
      if (rows !== undefined) recipes.push({ model: model as Recipe['model'], rows })
  }
  return recipes
}

const STEPS = [
  `INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${TEAM}')`,
  `UPDATE "Post" SET status = 'published' WHERE id = 1`,
  `INSERT INTO "Comment" (id, "postId", "authorId", body) VALUES (12, 1, '${BOB}', 'more')`,
  `UPDATE "Post" SET "deletedAt" = now() WHERE id = 1`,
  `UPDATE "Post" SET "authorId" = '${ADA}' WHERE id = 1`,
  `UPDATE "Post" SET "deletedAt" = NULL, status = 'draft'`,
  `BEGIN; DELETE FROM team_memberships; UPDATE "Comment" SET body = 'changed'; COMMIT`,
  `UPDATE "Post" SET "authorId" = '${BOB}'`,
]

it('the recipes give what a search finds, after every step', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Post', 'Comment', 'Team', 'Membership'] })
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x'), ('${BOB}', 'bob@x');
     INSERT INTO "Team" (id, name, slug) VALUES ('${TEAM}', 'team', 'team');
     INSERT INTO "Post" (id, "authorId", title, "teamId") VALUES (1, '${BOB}', 'one', '${TEAM}'), (2, '${ADA}', 'two', NULL);
     INSERT INTO "Comment" (id, "postId", "authorId", body) VALUES (10, 1, '${BOB}', 'hi'), (11, 2, '${ADA}', 'ho')`,
  )
  const recipes = await readRecipes()
  expect(recipes.map(({ model }) => model)).toEqual(['Post', 'Comment', 'Comment', 'Comment', 'Comment'])
  const loose = live.rowcast as unknown as {
    subscribe(model: string, options: object): AsyncIterator<Event, undefined>
  }
  const followers = recipes.map(({ model, rows }) => {
    const where = rows({ viewer: { id: ADA } })
    const delegate = live.prisma[model === 'Post' ? 'post' : 'comment'] as unknown as {
      findMany(query: object): Promise<readonly Row[]>
    }
    return new Follower(loose.subscribe(model, { where, initial: true }), () =>
      delegate.findMany({ where, orderBy: { id: 'asc' } }),
    )
  })
  for (const follower of followers) await follower.untilReady()
  let moved = 0
  for (const step of STEPS) {
    await database.query(step)
    for (const follower of followers) moved += await follower.untilFound()
  }
  expect(moved).toBeGreaterThan(STEPS.length)
})

interface Row {
  readonly id: number
}

interface Event {
  readonly action: string
  readonly transition: string | null
  readonly key: Row
  readonly new: Row | null
}

/** Puts together what one is given. */
class Follower {
  readonly #events: AsyncIterator<Event, undefined>
  readonly #find: () => Promise<readonly Row[]>
  readonly #rows = new Map<number, Row>()

  constructor(events: AsyncIterator<Event, undefined>, find: () => Promise<readonly Row[]>) {
    this.#events = events
    this.#find = find
  }

  async untilReady(): Promise<void> {
    while ((await this.#next()).action !== 'READY') {}
    expect(this.#has()).toEqual(await this.#find())
  }

  /** How many events it took. */
  async untilFound(): Promise<number> {
    const found = await this.#find()
    let count = 0
    for (; !isSame(found, this.#has()); count += 1) await this.#next()
    expect(this.#has()).toEqual(found)
    return count
  }

  async #next(): Promise<Event> {
    const { value: event } = await this.#events.next()
    if (event === undefined) throw new Error('It has ended.')
    if (event.new !== null && event.new !== undefined && event.transition !== 'LEFT')
      this.#rows.set(event.new.id, event.new)
    else if (event.action !== 'READY') this.#rows.delete(event.key.id)
    return event
  }

  #has(): readonly Row[] {
    return [...this.#rows.values()].sort((a, b) => a.id - b.id)
  }
}

const textOf = (rows: readonly Row[]) => rows.map((row) => canonicalText(row)).join()
const isSame = (a: readonly Row[], b: readonly Row[]) => textOf(a) === textOf(b)
