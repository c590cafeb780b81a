/** Live lists and totals, whatever is written: each is what `findMany` and `aggregate` give at every boundary that it shows. */
import { expect } from 'vitest'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import type { TestDatabase } from './database.ts'
import { type PickBelow, picker } from './mvcc-world.ts'

export const LIST_AUTHORS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']

interface Row {
  readonly id: number
}

export interface ListEvent {
  readonly kind: 'snapshot' | 'patch'
  readonly cursor: string
  readonly totalCount: number | null
  readonly rows?: readonly Row[]
  readonly operations?: readonly {
    readonly kind: 'INSERT' | 'UPDATE' | 'MOVE' | 'REMOVE'
    readonly key: { readonly id: number }
    readonly index: number
    readonly row: Row | null
  }[]
}

const plain = (value: unknown) =>
  JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each))

/** A list as a client puts it together: it knows nothing but the operations. */
export class ListClient {
  rows: Row[] = []
  totalCount: number | null = null

  apply({ rows, operations = [], totalCount }: ListEvent): void {
    if (rows !== undefined) this.rows = [...rows]
    for (const { kind, key, index, row } of operations) {
      const at = this.rows.findIndex(({ id }) => id === key.id)
      expect(at >= 0).toBe(kind !== 'INSERT')
      if (kind !== 'MOVE' && kind !== 'INSERT') expect(at).toBe(index)
      if (at >= 0) this.rows.splice(at, 1)
      if (kind !== 'REMOVE') this.rows.splice(index, 0, row as Row)
    }
    this.totalCount = totalCount
  }
}

/** What is asked of both. */
const LISTS = {
  byNumber: {
    where: { status: { not: 'DRAFT' } },
    orderBy: [{ viewCount: 'desc' }],
    take: 4,
    totalCount: true,
  },
  byTime: { orderBy: { publishedAt: { sort: 'desc', nulls: 'last' } }, take: 5 },
  byRating: { orderBy: [{ rating: 'asc' }, { id: 'desc' }], take: 3 },
  byText: { orderBy: [{ title: 'asc' }], take: 4, totalCount: true },
  byEnum: { orderBy: [{ status: 'desc' }], take: 4 },
  byRelation: {
    where: { author: { is: { isActive: true } } },
    orderBy: [{ id: 'desc' }],
    take: 6,
    totalCount: true,
  },
  byJoinTable: {
    where: { tags: { some: { name: 't1' } } },
    orderBy: [{ id: 'asc' }],
    take: 4,
    totalCount: true,
  },
  throttled: { orderBy: [{ viewCount: 'asc' }], take: 4, every: 200 },
  throttledRelation: {
    where: { author: { isNot: { isActive: true } } },
    orderBy: [{ id: 'asc' }],
    take: 4,
    every: 200,
  },
} as const
const TOTALS = {
  where: { status: 'PUBLISHED' },
  sum: ['viewCount', 'rating'],
  min: ['viewCount', 'createdAt'],
  max: ['viewCount', 'title'],
} as const

interface Asked {
  readonly where?: object
  readonly orderBy?: unknown
  readonly totalCount?: boolean
  readonly every?: number
}

/** What the database says. */
async function searched(prisma: PrismaClient) {
  const found = new Map<string, string>()
  const search = async ([name, list]: [string, Asked]) => {
    const { totalCount, every: _, ...query } = list
    const orderBy = [query.orderBy, { id: 'asc' }].flat()
    const [rows, count] = await Promise.all([
      prisma.post.findMany({ ...query, orderBy } as never),
      totalCount === true ? prisma.post.count({ where: (query.where ?? {}) as never }) : null,
    ])
    found.set(name, plain([rows, count]))
  }
  const lists = Promise.all(Object.entries<Asked>(LISTS).map(search))
  const { where, sum, min, max } = TOTALS
  const picked = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, true]))
  const { _count, _sum, _min, _max } = await prisma.post.aggregate({
    where,
    ...{ _count: true, _sum: picked(sum), _min: picked(min), _max: picked(max) },
  })
  await lists
  found.set('totals', plain([_count, _sum, _min, _max]))
  return found
}

const WRITES: readonly ((pick: PickBelow) => string)[] = [
  (pick) =>
    `INSERT INTO "Post" ("authorId", title, status, "viewCount", rating, "publishedAt") VALUES ('${LIST_AUTHORS[pick(2)]}', ` +
    `'${'aBäZ -_é'[pick(8)]}${pick(50)}', '${['draft', 'in-review', 'published'][pick(3)]}', ${pick(9)}, ${pick(3) === 0 ? 'NULL' : pick(5)}, ` +
    `${pick(3) === 0 ? 'NULL' : `'2026-01-0${1 + pick(9)}'`})`,
  (pick) => `DELETE FROM "Post" WHERE id % 7 = ${pick(7)}`,
  (pick) => `UPDATE "Post" SET "viewCount" = "viewCount" + ${1 + pick(6)} WHERE id % 5 = ${pick(5)}`,
  (pick) =>
    `UPDATE "Post" SET status = '${['draft', 'in-review', 'published'][pick(3)]}' WHERE id % 6 = ${pick(6)}`,
  (pick) => `UPDATE "Post" SET title = '${'aBäZ'[pick(4)]}' || id WHERE id % 9 = ${pick(9)}`,
  (pick) =>
    `UPDATE "Post" SET id = id + 1000 WHERE id = (SELECT id FROM "Post" ORDER BY id LIMIT 1 OFFSET ${pick(5)})`,
  (pick) =>
    `INSERT INTO "_PostToTag" SELECT p.id, t.id FROM "Post" p, "Tag" t WHERE p.id % 3 = ${pick(3)} AND t.name = 't1' ON CONFLICT DO NOTHING`,
  (pick) => `DELETE FROM "_PostToTag" WHERE "A" % 5 = ${pick(5)}`,
  (pick) => `UPDATE users SET is_active = ${pick(2) === 0} WHERE id = '${LIST_AUTHORS[pick(2)]}'`,
  (pick) => `UPDATE "Post" SET body = body || 'x' WHERE id % 4 = ${pick(4)}`,
  (pick) => (pick(6) === 0 ? 'TRUNCATE "Post" CASCADE' : 'UPDATE "Post" SET rating = NULL WHERE id % 8 = 1'),
]

type Face = Rowcast<RowcastModels>

/** Where it plays. */
export interface ListWorld {
  readonly database: TestDatabase
  readonly prisma: PrismaClient
  /** Where the list with this number is opened. One that ends with its process is opened again at another one. */
  readonly faceOf: (number: number) => Face
  readonly isStopped?: ((face: Face) => boolean) | undefined
  readonly seed: number
  readonly rounds: number
  readonly onRound?: ((round: number) => Promise<void>) | undefined
}

interface Shown {
  readonly name: string
  readonly lsn: bigint
  readonly state: string
}

/** What everybody shows, and the commits. */
class Followers {
  readonly ending = new AbortController()
  readonly shown: Shown[] = []
  readonly commits: bigint[] = []
  readonly following: Promise<void>[] = []
  readonly #world: ListWorld

  constructor(world: ListWorld) {
    this.#world = world
  }

  /** One of each. */
  open(): void {
    const names = Object.keys(LISTS) as (keyof typeof LISTS)[]
    for (const name of names) this.#follow((face) => this.#list(face, name))
    this.#follow((face) => this.#totals(face))
  }

  count(rounds: number): void {
    const face = this.#world.faceOf(0)
    const counting = async () => {
      for await (const { transaction } of face.subscribe('Tag', { action: 'INSERT' })) {
        this.commits.push(transaction.commitLsn)
        if (this.commits.length === rounds) return
      }
    }
    this.following.push(counting())
  }

  #follow(once: (face: Face) => Promise<void>): void {
    const { faceOf, isStopped = () => false } = this.#world
    const number = this.following.length
    const run = async () => {
      for (;;) {
        const face = faceOf(number)
        await once(face).catch((error: unknown) => {
          if (!isStopped(face)) throw error
        })
        if (this.ending.signal.aborted || !isStopped(face)) return
      }
    }
    this.following.push(run())
  }

  async #list(face: Face, name: keyof typeof LISTS): Promise<void> {
    const client = new ListClient()
    for await (const event of face.list('Post', { ...LISTS[name], signal: this.ending.signal } as never)) {
      client.apply(event as ListEvent)
      this.#note(name, event.cursor, [client.rows, client.totalCount])
    }
  }

  async #totals(face: Face): Promise<void> {
    const events = face.totals('Post', { ...TOTALS, signal: this.ending.signal } as never)
    for await (const { cursor, count, sum, min, max } of events)
      this.#note('totals', cursor, [count, sum, min, max])
  }

  #note(name: string, cursor: string, state: unknown): void {
    this.shown.push({ name, lsn: parseCursor(cursor).position.commitLsn, state: plain(state) })
  }
}

/** Plays it to its end. @returns how often each list was shown, and what of it was wrong */
export async function playLists(world: ListWorld) {
  const { database, prisma, seed, rounds } = world
  const pick = picker(seed)
  for (const id of LIST_AUTHORS)
    await database.query(`INSERT INTO users (id, email) VALUES ('${id}', '${id}@example.com')`)
  const states = [await searched(prisma)]
  const followers = new Followers(world)
  const { ending, shown, commits, following } = followers
  followers.count(rounds)
  followers.open()
  for (let round = 0; round < rounds; round += 1) {
    const writes = Array.from({ length: 1 + pick(3) }, () =>
      (WRITES[pick(round < 8 ? 1 : WRITES.length)] ?? (() => ''))(pick),
    )
    await database.query(
      ['BEGIN', ...writes, `INSERT INTO "Tag" (name) VALUES ('t${round}')`, 'COMMIT'].join('; '),
    )
    states.push(await searched(prisma))
    if (round % 8 === 3) followers.open()
    await world.onRound?.(round)
  }
  await following[0]
  // All of them get there.
  for (const name of [...Object.keys(LISTS), 'totals']) {
    await expect
      .poll(() => shown.findLast((each) => each.name === name)?.state, { timeout: 60_000, interval: 20 })
      .toBe(states.at(-1)?.get(name))
  }
  ending.abort()
  await Promise.all(following)
  const wrong = shown.flatMap(({ name, lsn, state }) => {
    const at = commits.filter((commit) => commit <= lsn).length
    const right = states[at]?.get(name)
    return right === state ? [] : [`${name} after ${at}:\n${state}\n${right}`]
  })
  return { wrong, shownOf: (name: string) => shown.filter((each) => each.name === name).length }
}
