/** Live lists whose rows are shown with related ones, whatever is written: each is what the query of the same arguments gives once a transaction has come. */
import { type ExecutionResult, type GraphQLSchema, graphql, parse, subscribe } from 'graphql'
import { expect } from 'vitest'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import type { TestDatabase } from './database.ts'
import { Dice } from './live-world.ts'

const USERS = [1, 2, 3].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
const TEAMS = [1, 2].map((digit) => `00000000-0000-4000-8000-0000000000f${digit}`)

export interface ShownRow {
  readonly id: string
}

interface ShownList {
  readonly cursor: string
  readonly transaction: { readonly xid: string } | null
  readonly rows?: readonly ShownRow[]
  readonly operations?: readonly {
    readonly kind: string
    readonly index: number
    readonly key: { readonly rowId: string }
    readonly row: ShownRow | null
  }[]
}

/** A list of GraphQL as a client puts it together. */
export class ShownListClient {
  rows: ShownRow[] = []
  readonly patches: ShownList[] = []
  readonly #events: AsyncIterableIterator<ExecutionResult>

  constructor(events: AsyncIterableIterator<ExecutionResult>) {
    this.#events = events
  }

  async next(): Promise<void> {
    const { value } = await this.#events.next()
    expect(value?.errors).toBeUndefined()
    this.apply(value?.data?.['list'] as ShownList)
  }

  /** Resolves once it shows this. */
  async until(wanted: () => readonly ShownRow[]): Promise<void> {
    while (JSON.stringify(this.rows) !== JSON.stringify(wanted())) await this.next()
  }

  apply(list: ShownList): void {
    const { rows, operations = [] } = list
    if (rows !== undefined) this.rows = [...rows]
    else this.patches.push(list)
    for (const { kind, index, key, row } of operations) {
      const at = this.rows.findIndex(({ id }) => String(id) === String(key.rowId))
      expect(at >= 0).toBe(kind !== 'INSERT')
      if (kind === 'UPDATE' || kind === 'REMOVE') expect(at).toBe(index)
      if (at >= 0) this.rows.splice(at, 1)
      if (kind !== 'REMOVE') this.rows.splice(index, 0, row as ShownRow)
    }
  }

  async end(): Promise<void> {
    await this.#events.return?.()
  }
}

/** What the worlds write. */
export const SHOWN_MODELS = ['User', 'Post', 'Comment', 'Tag', 'Team'] as const
/** What decides beside that. */
export const FOLLOWED_MODELS = ['_PostToTag', 'Membership'] as const

/**
 * The service's schema over a rowcast; who is called reader sees no hidden comments or tags, and teams that he is a member of; who is called
 * member sees comments of authors who are active, and teams as the reader does.
 */
export function schemaOver(feed: Rowcast<RowcastModels>, prisma: PrismaClient): GraphQLSchema {
  const is = (context: object, ...names: readonly string[]) =>
    names.includes(String(Reflect.get(context, 'viewer')))
  const ownTeams = { memberships: { some: { userId: USERS[0], isOwner: true } } }
  const activeAuthors = { author: { is: { isActive: true } } }
  return buildServiceSchema({
    ...{ catalog, prisma: prisma as never, feed: feed as never },
    models: {
      User: {},
      Post: {},
      Comment: {
        rows: (context: object) =>
          is(context, 'reader') ? { body: { not: 'hidden' } } : is(context, 'member') ? activeAuthors : 'all',
      } as never,
      Tag: {
        rows: (context: object) =>
          is(context, 'reader') ? { name: { not: { startsWith: 'hidden' } } } : 'all',
      } as never,
      Team: { rows: (context: object) => (is(context, 'reader', 'member') ? ownTeams : 'all') } as never,
      Membership: { live: false },
    },
  })
}

export interface AskedList {
  readonly model: 'post' | 'comment' | 'tag'
  readonly args: string
  /** Of lists alone. */
  readonly every?: number
  readonly fields: string
}

const WITH_COMMENTS = 'id title author { fullName } reviewer { fullName } comments { id body }'

export const SHOWN_LISTS: Readonly<Record<string, AskedList>> = {
  byNumber: {
    model: 'post',
    args: 'orderBy: [{ viewCount: DESC }, { id: ASC }], take: 3',
    fields: WITH_COMMENTS,
  },
  throttled: { model: 'post', args: 'orderBy: [{ id: DESC }], take: 2', every: 60, fields: WITH_COMMENTS },
  byRelation: {
    model: 'post',
    args: 'where: { author: { is: { isActive: { equals: true } } } }, orderBy: [{ id: ASC }], take: 3',
    fields: WITH_COMMENTS,
  },
  byTags: {
    model: 'post',
    args: 'orderBy: [{ viewCount: DESC }, { id: ASC }], take: 3',
    fields: 'id title tags { id name color } team { name } comments { id body }',
  },
  ofTags: {
    model: 'tag',
    args: 'orderBy: [{ id: ASC }], take: 3',
    fields: 'id name posts { id title }',
  },
  ofItself: {
    model: 'comment',
    args: 'orderBy: [{ id: ASC }], take: 4',
    fields: 'id body replies { id body } parent { body } post { title }',
  },
}

export async function openShownList(
  schema: GraphQLSchema,
  viewer: string,
  { model, args, every = 0, fields }: AskedList,
): Promise<ShownListClient> {
  const name = { post: 'Post', comment: 'Comment', tag: 'Tag' }[model]
  const document =
    parse(`subscription { list: ${model}List(${args}, every: ${every}) { cursor transaction { xid }
    ... on ${name}ListSnapshot { rows { ${fields} } } ... on ${name}ListPatch { operations { kind index key { rowId } row { ${fields} } } } } }`)
  const events = await subscribe({ schema, document, contextValue: { viewer } })
  if (!(Symbol.asyncIterator in events))
    throw Object.assign(new Error(JSON.stringify(events)), { errors: events.errors })
  return new ShownListClient(events as AsyncIterableIterator<ExecutionResult>)
}

export async function queriedList(
  schema: GraphQLSchema,
  viewer: string,
  { model, args, fields }: AskedList,
): Promise<readonly ShownRow[]> {
  const source = `{ rows: ${model}s(${args}) { ${fields} } }`
  const { data, errors } = await graphql({ schema, source, contextValue: { viewer } })
  expect(errors).toBeUndefined()
  return data?.['rows'] as readonly ShownRow[]
}

/** One statement. */
function statement(dice: Dice): string {
  const [user, post, comment] = [dice.pick(USERS), 1 + dice.below(5), 1 + dice.below(9)]
  const text = dice.pick(['a', 'b', 'c', 'hidden'])
  const parent = dice.chance(0.4) ? String(1 + dice.below(9)) : 'NULL'
  if (dice.chance(0.02)) return dice.pick(['TRUNCATE "Comment"', 'TRUNCATE "_PostToTag"'])
  if (dice.chance(0.4)) return tagStatement(dice)
  return dice.pick([
    `INSERT INTO "Post" (id, title, "authorId", "viewCount") VALUES (${post}, '${text}', '${user}', ${dice.below(4)}) ON CONFLICT DO NOTHING`,
    `INSERT INTO "Comment" (id, "postId", "authorId", "parentId", body) SELECT ${comment}, p.id, '${user}', (SELECT id FROM "Comment" WHERE id = ${parent}), '${text}' FROM "Post" p WHERE p.id = ${post} ON CONFLICT DO NOTHING`,
    `INSERT INTO "Comment" (id, "postId", body) SELECT ${comment}, p.id, '${text}' FROM "Post" p WHERE p.id = ${post} ON CONFLICT DO NOTHING`,
    `UPDATE "Comment" SET body = '${text}' WHERE id = ${comment}`,
    `UPDATE "Comment" SET "postId" = ${post} WHERE id % 3 = ${comment % 3} AND EXISTS (SELECT FROM "Post" WHERE id = ${post})`,
    `UPDATE "Comment" SET "parentId" = ${parent} WHERE id = ${comment} AND EXISTS (SELECT FROM "Comment" WHERE id = ${parent})`,
    `DELETE FROM "Comment" WHERE id = ${comment}`,
    `UPDATE "Post" SET "viewCount" = ${dice.below(5)} WHERE id = ${post}`,
    `UPDATE "Post" SET "authorId" = '${user}', "reviewerId" = ${dice.chance(0.5) ? `'${user}'` : 'NULL'} WHERE id = ${post}`,
    `UPDATE users SET full_name = '${text}${dice.below(9)}' WHERE id = '${user}'`,
    `UPDATE users SET is_active = ${dice.chance(0.6)} WHERE id = '${user}'`,
    `DELETE FROM "Post" WHERE id = ${post}`,
  ])
}

/** One of tags, and of teams. */
function tagStatement(dice: Dice): string {
  const [user, post, tag] = [dice.pick(USERS), 1 + dice.below(5), 1 + dice.below(4)]
  const team = dice.pick(TEAMS)
  const name = `${dice.pick(['a', 'b', 'hidden'])}${tag}`
  return dice.pick([
    `INSERT INTO "Tag" (id, name) VALUES (${tag}, '${name}') ON CONFLICT DO NOTHING`,
    `INSERT INTO "_PostToTag" ("A", "B") SELECT p.id, t.id FROM "Post" p, "Tag" t WHERE p.id = ${post} AND t.id = ${tag} ON CONFLICT DO NOTHING`,
    `INSERT INTO "_PostToTag" ("A", "B") SELECT p.id, t.id FROM "Post" p, "Tag" t WHERE t.id = ${tag} ON CONFLICT DO NOTHING`,
    `DELETE FROM "_PostToTag" WHERE "A" = ${post}`,
    `DELETE FROM "_PostToTag" WHERE "A" = ${post} AND "B" = ${tag}`,
    `UPDATE "_PostToTag" SET "B" = ${tag} WHERE "A" = ${post} AND EXISTS (SELECT FROM "Tag" WHERE id = ${tag}) AND NOT EXISTS (SELECT FROM "_PostToTag" WHERE "A" = ${post} AND "B" = ${tag}) AND "B" = (SELECT min("B") FROM "_PostToTag" WHERE "A" = ${post})`,
    `UPDATE "Tag" SET name = '${name}', color = '#00000${dice.below(9)}' WHERE id = ${tag}`,
    `DELETE FROM "Tag" WHERE id = ${tag}`,
    `UPDATE "Post" SET "teamId" = ${dice.chance(0.7) ? `'${team}'` : 'NULL'} WHERE id = ${post}`,
    `UPDATE "Team" SET name = '${name}' WHERE id = '${team}'`,
    `INSERT INTO team_memberships (user_id, team_id, is_owner) VALUES ('${user}', '${team}', ${dice.chance(0.7)}) ON CONFLICT (user_id, team_id) DO UPDATE SET is_owner = excluded.is_owner`,
    `DELETE FROM team_memberships WHERE user_id = '${user}'`,
  ])
}

/** Writes what the reader may not see, and nothing else. @returns its transaction */
async function writeHidden(database: TestDatabase, user: string): Promise<string> {
  const [row] = await database.query(
    `WITH written AS (UPDATE "Comment" SET "authorId" = '${user}' WHERE body = 'hidden') SELECT pg_current_xact_id()::text AS xid`,
  )
  return String(row?.['xid'])
}

/** A played world. */
interface ShownRelationsWorld {
  readonly database: TestDatabase
  readonly prisma: PrismaClient
  /** Of the next list. */
  readonly faceOf: (number: number) => Rowcast<RowcastModels>
  readonly seed: number
  readonly transactions: number
}

/**
 * Plays it: after each transaction all lists come to what the queries give by then, and no patch is of one that the viewer may see nothing of.
 * @returns how many patches each has been given
 */
export async function playShownRelations(world: ShownRelationsWorld): Promise<ReadonlyMap<string, number>> {
  const { database, prisma, faceOf, seed, transactions } = world
  for (const [index, id] of USERS.entries())
    await database.query(
      `INSERT INTO users (id, email, full_name) VALUES ('${id}', 'u${index}@x', 'u${index}')`,
    )
  for (const [index, id] of TEAMS.entries())
    await database.query(`INSERT INTO "Team" (id, name, slug) VALUES ('${id}', 't${index}', 't${index}')`)
  await database.query(
    `INSERT INTO "Post" (id, title, "authorId") SELECT i, 'p', '${USERS[0]}' FROM generate_series(1, 3) i`,
  )
  await database.query(
    `INSERT INTO "Comment" (id, "postId", "authorId", body) SELECT i, 1 + i % 3, '${USERS[1]}', 'c' FROM generate_series(1, 6) i`,
  )
  const dice = new Dice(seed)
  let number = 0
  const opened = Object.entries(SHOWN_LISTS).flatMap(([name, list]) =>
    ['editor', 'reader', 'member'].map(async (viewer) => {
      const schema = schemaOver(faceOf(number++), prisma)
      return {
        name: `${name} of ${viewer}`,
        list,
        viewer,
        schema,
        client: await openShownList(schema, viewer, list),
      }
    }),
  )
  const all = await Promise.all(opened)
  const hidden = new Set<string>()
  for (let count = 0; count < transactions; count += 1) {
    if (dice.chance(0.3)) hidden.add(await writeHidden(database, dice.pick(USERS)))
    const statements = Array.from({ length: 1 + dice.below(4) }, () => statement(dice))
    await database.query(`BEGIN; ${statements.join('; ')}; COMMIT`)
    await Promise.all(
      all.map(async ({ schema, viewer, list, client }) => {
        const wanted = await queriedList(schema, viewer, list)
        await client.until(() => wanted)
      }),
    )
  }
  for (const { name, viewer, list, client } of all) {
    const xids = checkPatches(name, list, client)
    if (viewer === 'reader') expect(xids.filter((xid) => hidden.has(xid))).toEqual([])
    await client.end()
  }
  return new Map(all.map(({ name, client }) => [name, client.patches.length]))
}

/** In order; each row once in a patch, and each transaction in one, where it is known which they are. @returns these */
function checkPatches(
  name: string,
  { every = 0 }: AskedList,
  { patches }: ShownListClient,
): readonly string[] {
  const xids = patches.flatMap(({ transaction }) => transaction?.xid ?? [])
  if (every === 0) expect(new Set(xids).size, name).toBe(xids.length)
  let last = 0n
  for (const { cursor, operations = [] } of patches) {
    const { commitLsn } = parseCursor(cursor).position
    expect(commitLsn >= last, name).toBe(true)
    last = commitLsn
    const keys = operations.map(({ key }) => String(key.rowId))
    expect(new Set(keys).size, name).toBe(keys.length)
  }
  return xids
}
