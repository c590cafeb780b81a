/** `changes` of GraphQL on a real PostgreSQL: random transactions against the ledger, live and after any cursor. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRandom, type Random } from '../chaos/random.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { createWsClient, type WsSubscription } from '../support/ws-client.ts'

let database: TestDatabase
let running: RunningService

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  running = await openService(database, {
    context: (source) => ({
      context: { viewer: source.kind === 'websocket' ? source.connectionParams['viewer'] : null },
    }),
    config: {
      models: {
        Tag: { rows: (context) => (Reflect.get(context, 'viewer') === 'red' ? { color: '#ff0000' } : 'all') },
        User: {},
        Post: {},
        Membership: {},
        Team: { rows: () => ({ memberships: { some: { userId: '00000000-0000-4000-8000-00000000000a' } } }) },
      },
      public: true,
      showMetadata: { fields: () => 'all' },
    },
  })
  await running.service.rowcast.ready()
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

interface Part {
  readonly transaction: { readonly xid: string; readonly metadata: { readonly actor: string } | null }
  readonly isLast: boolean
  readonly cursor: string
  readonly changes: readonly Record<'__typename' | 'transition' | 'cursor' | 'row', unknown>[]
}

const DOCUMENT = `subscription ($after: Cursor) {
  changes(of: { tag: { where: { name: { startsWith: "a" } } }, user: { action: [INSERT, DELETE] } }, after: $after) {
    transaction { xid metadata { actor } } isLast cursor
    changes { __typename transition cursor ... on TagChange { row: key { rowId } } }
  }
}`

/** One change, as the ledger has it and as a subscriber sees it. */
type Seen = readonly [type: string, transition: string | null, tag: number | null]

const seenOf = ({ changes }: Part): Seen[] =>
  changes.map(({ __typename, transition, row }) => [
    String(__typename),
    transition as string | null,
    row === undefined ? null : Number((row as { rowId: string }).rowId),
  ])

interface Tag {
  readonly name: string
  readonly isRed: boolean
}

/** Writes random transactions, and what each subscriber has to see of them. */
class Ledger {
  readonly transactions: { readonly actor: string | null; readonly all: Seen[]; readonly red: Seen[] }[] = []
  #tags = new Map<number, Tag>()
  #users = 0
  #nextTag = 1
  #nextName = 1
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  #below(bound: number): number {
    return this.#random.integer(0, bound - 1)
  }

  /** The statements of the next transaction. */
  next(): string {
    const before = [new Map(this.#tags), this.#users] as const
    const all: Seen[] = []
    const red: Seen[] = []
    const actor = this.#below(2) === 0 ? null : `actor ${this.transactions.length}`
    const said = `SELECT pg_logical_emit_message(true, 'rowcast.metadata', '{"actor": "${actor}"}')`
    const statements = actor === null ? [] : [said]
    for (let count = 1 + this.#below(5); count > 0; count -= 1) statements.push(this.#write(all, red))
    if (this.#below(4) === 0) {
      ;[this.#tags, this.#users] = before
      return ['BEGIN', ...statements, 'ROLLBACK'].join('; ')
    }
    if (all.length + red.length > 0) this.transactions.push({ actor, all, red })
    return ['BEGIN', ...statements, 'COMMIT'].join('; ')
  }

  #write(all: Seen[], red: Seen[]): string {
    const kind = this.#below(5)
    const [id = 0] = this.#random.shuffle([...this.#tags.keys()])
    if (kind === 0) return this.#addUser(all, red)
    if (kind === 1 && this.#users > 0) return this.#deleteUser(all, red)
    const tag = this.#tags.get(id)
    if (kind === 2 && tag !== undefined) {
      this.#tags.delete(id)
      this.#note(id, { all, red }, tag, null)
      return `DELETE FROM "Tag" WHERE id = ${id}`
    }
    if (kind === 3 && tag !== undefined) {
      const after = this.#anyTag()
      this.#tags.set(id, after)
      this.#note(id, { all, red }, tag, after)
      return `UPDATE "Tag" SET name = '${after.name}', color = ${colorOf(after)} WHERE id = ${id}`
    }
    return this.#addTags({ all, red }, this.#below(9) === 0 ? 1_100 : 1)
  }

  #addUser(all: Seen[], red: Seen[]): string {
    this.#users += 1
    for (const seen of [all, red]) seen.push(['UserInserted', null, null])
    return `INSERT INTO users (email) VALUES (gen_random_uuid() || '@x')`
  }

  #deleteUser(all: Seen[], red: Seen[]): string {
    this.#users -= 1
    for (const seen of [all, red]) seen.push(['UserDeleted', null, null])
    return 'DELETE FROM users WHERE id = (SELECT id FROM users LIMIT 1)'
  }

  #addTags(seen: Both, count: number): string {
    const rows = Array.from({ length: count }, () => {
      const id = this.#nextTag++
      const tag = this.#anyTag()
      this.#tags.set(id, tag)
      this.#note(id, seen, null, tag)
      return `(${id}, '${tag.name}', ${colorOf(tag)})`
    })
    return `INSERT INTO "Tag" (id, name, color) VALUES ${rows.join()}`
  }

  #anyTag(): Tag {
    return { name: `${this.#random.pick(['a', 'b'])}${this.#nextName++}`, isRed: this.#below(2) === 0 }
  }

  #note(id: number, { all, red }: Both, before: Tag | null, after: Tag | null): void {
    const isA = (tag: Tag | null) => tag?.name.startsWith('a') === true
    const isRedA = (tag: Tag | null) => isA(tag) && tag?.isRed === true
    for (const [seen, sees] of [
      [all, isA],
      [red, isRedA],
    ] as const) {
      const [was, is] = [sees(before), sees(after)]
      if (!was && !is) continue
      const isVisible = after !== null && (seen === all || after.isRed)
      const type = before === null ? 'TagInserted' : isVisible ? 'TagUpdated' : 'TagDeleted'
      seen.push([type, was && is ? 'STAYED' : is ? 'ENTERED' : 'LEFT', id])
    }
  }
}

interface Both {
  readonly all: Seen[]
  readonly red: Seen[]
}

const colorOf = ({ isRed }: Tag) => (isRed ? `'#ff0000'` : 'NULL')

async function take(subscription: WsSubscription<{ changes: Part }>, transactions: number): Promise<Part[]> {
  const parts: Part[] = []
  for (let whole = 0; whole < transactions; ) {
    const { changes: part } = await subscription.nextData()
    parts.push(part)
    if (part.isLast) whole += 1
  }
  return parts
}

/** What came of each transaction, its parts put together. */
function wholesOf(parts: readonly Part[]): { readonly actor: string | null; readonly seen: Seen[] }[] {
  const wholes: { actor: string | null; seen: Seen[] }[] = []
  let isOpen = false
  for (const part of parts) {
    const actor = part.transaction.metadata?.actor ?? null
    if (isOpen) wholes.at(-1)?.seen.push(...seenOf(part))
    else wholes.push({ actor, seen: seenOf(part) })
    isOpen = !part.isLast
  }
  return wholes
}

describe('transactions of several models in GraphQL', () => {
  it.each([1, 2, 3])(
    'are those of the ledger, for each viewer, live and after any cursor: seed %i',
    async (seed) => {
      // A cursor may be older than what has committed: the seed before is over once its end has come.
      const emptied = running.service.rowcast.subscribe('Tag', { action: 'TRUNCATE' })
      await database.query('TRUNCATE "Tag", users CASCADE')
      await emptied.next()
      await emptied.return?.()
      const ledger = new Ledger(createRandom(seed))
      const watch = (viewer: string, after: string | null) =>
        createWsClient(running.url, { viewer }).subscribe<{ changes: Part }>(DOCUMENT, { after })
      const after = await running.service.rowcast.changeCursor()
      const live = { all: watch('anybody', after), red: watch('red', after) }
      for (let count = 0; count < 60; count += 1) await database.query(ledger.next())
      for (const viewer of ['all', 'red'] as const) {
        const expected = ledger.transactions
          .map(({ actor, [viewer]: seen }) => ({ actor, seen }))
          .filter(({ seen }) => seen.length > 0)
        const parts = await take(live[viewer], expected.length)
        expect(wholesOf(parts)).toEqual(expected)
        expect(parts.every(({ cursor, changes }) => cursor === changes.at(-1)?.cursor)).toBe(true)
        expect(
          new Set(parts.filter(({ isLast }) => isLast).map(({ transaction: { xid } }) => xid)).size,
        ).toBe(expected.length)
        // After any change of any transaction comes the rest of it, then the others.
        const changes = parts.flatMap((part) => part.changes.map(({ cursor }) => cursor))
        const at = Math.floor(changes.length / 2)
        const rest = watch(viewer === 'all' ? 'anybody' : 'red', String(changes[at]))
        const flat = parts.flatMap(seenOf)
        const again: Seen[] = []
        while (again.length < flat.length - at - 1) again.push(...seenOf((await rest.nextData()).changes))
        expect(again).toEqual(flat.slice(at + 1))
        rest.unsubscribe()
        live[viewer].unsubscribe()
      }
    },
  )

  it('come in parts whose results are not too long, where text is longer than the rows are', async () => {
    await database.query('TRUNCATE "Tag", users CASCADE')
    await database.query(
      `INSERT INTO users (email) VALUES ('a@x');
       INSERT INTO "Post" ("authorId", title, body)
         SELECT users.id, 'a', repeat(chr(1), 900) FROM users, generate_series(1, 200)`,
    )
    const after = await running.service.rowcast.changeCursor()
    const subscription = createWsClient(running.url, { viewer: 'anybody' }).subscribe<{ changes: Part }>(
      `subscription ($after: Cursor) { changes(of: { post: {} }, after: $after) {
        isLast changes { __typename ... on PostUpdated { old { body } new { body } } }
      } }`,
      { after },
    )
    await database.query(`UPDATE "Post" SET title = 'b'`)
    const parts = await take(subscription, 1)
    expect(parts.flatMap(({ changes }) => changes)).toHaveLength(200)
    subscription.unsubscribe()
  })

  it('are none of rows that other rows decide about, and say so', async () => {
    const refusalOf = async (of: string) => {
      const subscription = createWsClient(running.url, { viewer: 'anybody' }).subscribe(
        `subscription { changes(of: { ${of} }) { isLast } }`,
      )
      return String(await subscription.nextData().catch((error: unknown) => error))
    }
    for (const [of, path] of [
      ['post: { where: { author: { is: { email: { equals: "a" } } } } }', 'where.author'],
      ['user: {}, post: { new: { AND: [{ team: { isNot: null } }] } }', 'new.AND[0].team'],
      ['post: { old: { NOT: { tags: { none: {} } } } }', 'old.NOT[0].tags'],
    ] as const) {
      const refusal = await refusalOf(of)
      expect(refusal).toContain(
        `${path}: this is a relation, and a change carries the values of its own row only.`,
      )
      expect(refusal).toContain('BAD_FILTER')
    }
    const refusal = await refusalOf('user: {}, team: {}')
    expect(refusal).toContain('of.team: who sees which rows of Team depends on other rows.')
    expect(refusal).toContain('GRAPHQL_BAD_ARGUMENT')
  })
})
