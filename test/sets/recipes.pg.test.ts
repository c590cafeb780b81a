/**
 * The recipes of docs/live-sets.md, each as the config of a service: with the models that it names, and no others, what its client has after every
 * step is what Prisma Client finds by the same rule.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it, onTestFinished } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import type { ContextFunction } from '../../src/server/session/context.ts'
import { STREAM_TRANSPORTS, type Stream } from '../security/transports.ts'
import { openDatabase } from '../support/database.ts'
import { listBlocks } from '../support/doc-blocks.ts'
import { openService } from '../support/live-service.ts'

const [ADA, BOB, TEAM] = ['a', 'b', 'c'].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
const FOLDER = join(import.meta.dirname, '../generated')
/** What those are about that have a rule, and which. */
const RECIPES = [
  'Team membership',
  'Ownership',
  'Public or mine',
  'Nested organisations',
  'Soft-deleted parents',
]

/** As the examples have them. */
const AROUND = `type AppContext = { viewer: { id: string } }
const shared = {}
const defineConfig = (config: object) => config
`

type Rows = (context: object) => object

/** The config of a recipe. */
async function readRecipe(name: string): Promise<Readonly<Record<string, { readonly rows?: Rows }>>> {
  const blocks = listBlocks('ts').filter(
    ({ place, text }) => place.startsWith('docs/live-sets.md') && text.includes('followed: true'),
  )
  expect(blocks).toHaveLength(RECIPES.length)
  await mkdir(FOLDER, { recursive: true })
  const index = RECIPES.indexOf(name)
  const file = join(FOLDER, `recipe-${process.pid}-${index}.ts`)
  await writeFile(file, AROUND + blocks[index]?.text)
  const { default: config } = await import(file)
  await rm(file)
  return config.models
}

const STEPS = [
  `INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${TEAM}')`,
  `UPDATE "Post" SET status = 'published' WHERE id = 1`,
  `INSERT INTO "Comment" (id, "postId", "authorId", body) VALUES (12, 1, '${BOB}', 'more')`,
  `UPDATE "Post" SET "deletedAt" = now() WHERE id = 1`,
  `UPDATE "Post" SET "authorId" = '${ADA}' WHERE id = 1`,
  `UPDATE "Post" SET "deletedAt" = NULL, status = 'draft'`,
  `BEGIN; DELETE FROM team_memberships; UPDATE "Comment" SET body = 'changed'; UPDATE "Post" SET title = 'changed'; COMMIT`,
  `UPDATE "Post" SET "authorId" = '${BOB}'`,
]

const context: ContextFunction = () => ({ context: { viewer: { id: ADA } } })
const [transport] = STREAM_TRANSPORTS

it.each(RECIPES)('%s: what is found, after every step', async (name) => {
  await using database = await openDatabase({ migrate: true })
  const models = await readRecipe(name)
  const [[model = '', { rows }] = ['', {}]] = Object.entries(models).filter(
    (each) => each[1].rows !== undefined,
  )
  if (rows === undefined || transport === undefined) throw new Error('It has no rule.')
  const text = model === 'Post' ? 'title' : 'body'
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x'), ('${BOB}', 'bob@x');
     INSERT INTO "Team" (id, name, slug) VALUES ('${TEAM}', 'team', 'team');
     INSERT INTO "Post" (id, "authorId", title, "teamId") VALUES (1, '${BOB}', 'one', '${TEAM}'), (2, '${ADA}', 'two', NULL);
     INSERT INTO "Comment" (id, "postId", "authorId", body) VALUES (10, 1, '${BOB}', 'hi'), (11, 2, '${ADA}', 'ho')`,
  )
  await using running = await openService(database, { context, config: { models: models as never } })
  await running.service.rowcast.ready()
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  onTestFinished(() => prisma.$disconnect())
  const delegate = prisma[model === 'Post' ? 'post' : 'comment'] as unknown as {
    findMany(query: object): Promise<readonly Readonly<Record<string, unknown>>[]>
  }
  const find = async (): Promise<readonly string[]> => {
    const found = await delegate.findMany({ where: rows({ viewer: { id: ADA } }), orderBy: { id: 'asc' } })
    return found.map((row) => `${row['id']} ${row[text]}`)
  }
  const field = `${model.toLowerCase()}Changed`
  const query = `subscription { ${field}(initial: true) { action transition key { rowId } new { ${text} } } }`
  const follower = new Follower(await transport.open(running.url, query), field, text)
  await follower.untilReady()
  expect(follower.rows).toEqual(await find())
  let events = 0
  for (const step of STEPS) {
    await database.query(step)
    const found = await find()
    events += await follower.untilFound(found)
    expect(follower.rows).toEqual(found)
  }
  expect(events).toBeGreaterThan(0)
})

interface Event {
  readonly action: string
  readonly transition: string | null
  readonly key: { readonly rowId: string } | null
  readonly new: Readonly<Record<string, unknown>> | null
}

/** Puts together what one is given, as the page says it. */
class Follower {
  readonly #stream: Stream
  readonly #field: string
  readonly #text: string
  readonly #rows = new Map<number, string>()

  constructor(stream: Stream, field: string, text: string) {
    this.#stream = stream
    this.#field = field
    this.#text = text
  }

  get rows(): readonly string[] {
    return [...this.#rows].sort(([a], [b]) => a - b).map(([id, text]) => `${id} ${text}`)
  }

  async untilReady(): Promise<void> {
    while ((await this.#next()).action !== 'READY') {}
  }

  /** How many events it took. */
  async untilFound(found: readonly string[]): Promise<number> {
    let count = 0
    for (; found.join() !== this.rows.join(); count += 1) await this.#next()
    return count
  }

  async #next(): Promise<Event> {
    const { data, errors } = await this.#stream.next()
    if (errors.length > 0) throw new Error(JSON.stringify(errors))
    const event = (data as Record<string, Event>)[this.#field] as Event
    const id = Number(event.key?.rowId)
    if (event.transition === 'LEFT' || event.action === 'DELETE') this.#rows.delete(id)
    else if (event.new !== null && event.key !== null) this.#rows.set(id, String(event.new[this.#text]))
    return event
  }
}
