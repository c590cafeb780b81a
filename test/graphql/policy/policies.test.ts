import { describe, expect, it } from 'vitest'
import { isRowcastError } from '../../../src/errors.ts'
import { nextResult } from '../subscribe-to.ts'
import { codeOf, errorsOf, openBlog, type Viewer } from './viewer.ts'

const ADA = { id: 'a', email: 'ada@x', bio: null, role: 'ADMIN', tags: [], passwordHash: 'h' }
const BOB = { id: 'b', email: 'bob@x', bio: 'b', role: 'MEMBER', tags: [], passwordHash: 'h' }
const WHOLE = `subscription { userChanged { action transition key { rowId } old { email } new { email } changed } }`

/** Members only. */
const membersOnly = { rows: () => ({ role: 'MEMBER' as never }) }

describe('rows', () => {
  it('that come into sight enter, those that go out of sight leave, and no other image is shown', async () => {
    const { feed, see } = openBlog({ User: membersOnly })
    const results = await see(WHOLE)
    feed.commit(
      { action: 'INSERT', new: ADA, key: { id: 'a' }, changed: ['email'] },
      { old: ADA, new: { ...ADA, role: 'MEMBER' }, key: { id: 'a' }, changed: ['role'] },
      {
        old: BOB,
        new: { ...BOB, role: 'ADMIN', email: 'new@x' },
        key: { id: 'b' },
        changed: ['role', 'email'],
      },
      { action: 'DELETE', old: ADA, key: { id: 'a' } },
      { action: 'DELETE', old: BOB, key: { id: 'b' } },
    )
    expect(await nextResult(results)).toEqual({
      data: {
        userChanged: {
          ...{
            action: 'UPDATE',
            transition: 'ENTERED',
            key: { rowId: 'a' },
            old: null,
            new: { email: 'ada@x' },
          },
          // What differs from the hidden row is not for this viewer.
          changed: [],
        },
      },
    })
    expect(await nextResult(results)).toEqual({
      data: {
        userChanged: {
          ...{
            action: 'UPDATE',
            transition: 'LEFT',
            key: { rowId: 'b' },
            old: { email: 'bob@x' },
            new: null,
          },
          changed: [],
        },
      },
    })
    expect(await nextResult(results)).toMatchObject({
      data: { userChanged: { action: 'DELETE', transition: 'LEFT', old: { email: 'bob@x' } } },
    })
  })

  it('keep the new key of a row that went out of sight', async () => {
    const { feed, see } = openBlog({ User: membersOnly })
    const results = await see(WHOLE)
    feed.commit({
      old: BOB,
      new: { ...BOB, id: 'z', role: 'ADMIN' },
      key: { id: 'z' },
      changed: ['id', 'role'],
    })
    expect(await nextResult(results)).toMatchObject({
      data: { userChanged: { key: { rowId: 'b' }, new: null } },
    })
  })

  it('that the key before cannot answer refuse all but inserts: nobody would hear that a row is gone', async () => {
    const { feed, see, watch } = openBlog({ User: membersOnly }, { hasOldImages: false })
    expect(codeOf(await watch('subscription { userChanged { action key { rowId } } }'))).toBe('BAD_FILTER')
    const results = await see('subscription { userChanged(action: INSERT) { action key { rowId } } }')
    feed.commit(
      { action: 'INSERT', new: ADA, key: { id: 'a' } },
      { action: 'INSERT', new: BOB, key: { id: 'b' } },
    )
    expect(await nextResult(results)).toEqual({
      data: { userChanged: { action: 'INSERT', key: { rowId: 'b' } } },
    })
  })

  it('are narrowed by the viewer’s own filter, never widened', async () => {
    const { feed, see } = openBlog({ User: membersOnly })
    const results = await see(
      'subscription { userChanged(where: { OR: [{ role: { equals: ADMIN } }, { email: { equals: "bob@x" } }] }) { key { rowId } } }',
    )
    feed.commit(
      { action: 'INSERT', new: ADA, key: { id: 'a' } },
      { action: 'INSERT', new: { ...BOB, id: 'c', email: 'c@x' }, key: { id: 'c' } },
      { action: 'INSERT', new: BOB, key: { id: 'b' } },
    )
    expect(await nextResult(results)).toEqual({ data: { userChanged: { key: { rowId: 'b' } } } })
  })

  it("can be all, none, or another viewer's", async () => {
    const rows = async (context: object) => {
      const { name } = context as Viewer
      return name === 'root' ? 'all' : name === 'ada' ? 'none' : ({ email: `${name}@x` } as never)
    }
    const { feed, see } = openBlog({ User: { rows } })
    const viewers = await Promise.all(['root', 'ada', 'bob'].map((name) => see(WHOLE, { name })))
    feed.commit({ action: 'INSERT', new: ADA }, { action: 'INSERT', new: BOB })
    feed.close()
    const seen = await Promise.all(
      viewers.map(async (results) => {
        const emails: unknown[] = []
        for await (const { data } of results)
          emails.push(Reflect.get(Object(data?.['userChanged']).new, 'email'))
        return emails
      }),
    )
    expect(seen).toEqual([['ada@x', 'bob@x'], [], ['bob@x']])
  })

  it('are looked up by the values of a policy, not asked one by one', async () => {
    let asked = 0
    const rows = (context: object) => ({
      get email() {
        asked += 1
        return `${(context as Viewer).name}@x` as never
      },
    })
    const { feed, see } = openBlog({ User: { rows } })
    for (let i = 0; i < 50; i += 1) await see('subscription { userChanged { action } }', { name: `v${i}` })
    const judged: string[] = []
    const spied = (row: typeof BOB, name: string) =>
      Object.defineProperty({ ...row }, 'email', {
        enumerable: true,
        get() {
          judged.push(name)
          return 'v7@x'
        },
      })
    expect(asked).toBeGreaterThan(0)
    feed.commit({ action: 'INSERT', new: spied(BOB, 'new') })
    // Once for the look-up, once for the one whose key it is.
    expect(judged.length).toBeLessThanOrEqual(3)
  })
})

describe('fields', () => {
  const withoutBio = { fields: () => ['id', 'email', 'role'] }

  it('that are hidden cannot be selected, filtered on or asked about, with a word why', async () => {
    const { watch } = openBlog({ User: withoutBio })
    const refused = [
      'subscription { userChanged { new { email bio } } }',
      'subscription { userChanged { old { ...f } } } fragment f on UserOld { b: bio }',
      'subscription { userChanged(where: { bio: { equals: "x" } }) { action } }',
      'subscription { userChanged(old: { NOT: [{ bio: { equals: null } }] }) { action } }',
      'subscription { userChanged(changed: [bio]) { action } }',
    ]
    const codes = await Promise.all(refused.map(async (source) => codeOf(await watch(source))))
    expect(codes).toEqual(['FIELD_HIDDEN', 'FIELD_HIDDEN', 'BAD_FILTER', 'BAD_FILTER', 'BAD_FILTER'])
  })

  it('that are hidden are not among those that changed, and a change of nothing else is not delivered', async () => {
    const { feed, see } = openBlog({ User: withoutBio })
    const results = await see(WHOLE)
    feed.commit(
      { old: BOB, new: { ...BOB, bio: 'other' }, key: { id: 'b' }, changed: ['bio'] },
      { old: BOB, new: { ...BOB, bio: 'other', email: 'b2@x' }, key: { id: 'b' }, changed: ['email', 'bio'] },
    )
    expect(await nextResult(results)).toMatchObject({
      data: { userChanged: { new: { email: 'b2@x' }, changed: ['email'] } },
    })
  })

  it('that nobody may see are no reason for a change either', async () => {
    const { feed, see } = openBlog({ User: { omit: ['bio'] } })
    const results = await see(WHOLE)
    feed.commit(
      { old: BOB, new: { ...BOB, bio: 'other', passwordHash: 'i' }, changed: ['bio', 'passwordHash'] },
      { old: BOB, new: { ...BOB, email: 'b2@x' }, changed: ['email'] },
      // Without the row before nobody can know; then it is delivered.
      { old: null, new: { ...BOB, email: 'b3@x' }, changed: [] },
    )
    expect(await nextResult(results)).toMatchObject({ data: { userChanged: { changed: ['email'] } } })
    expect(await nextResult(results)).toMatchObject({ data: { userChanged: { new: { email: 'b3@x' } } } })
  })

  it('cannot be hidden where an UPDATE of them cannot be distinguished from others', async () => {
    const { watch } = openBlog({ User: withoutBio }, { hasOldImages: false })
    expect(codeOf(await watch(WHOLE))).toBe('BAD_FILTER')
    expect(await watch('subscription { userChanged(action: INSERT) { action } }')).toHaveProperty('next')
  })

  it('of related rows are hidden too', async () => {
    const answers = { 'user.findUnique': () => BOB }
    const { feed, see } = openBlog({ User: withoutBio }, { answers })
    const results = await see('subscription { postChanged { new { author { email bio } } } }')
    feed.commit({ model: 'Post', action: 'INSERT', new: { id: 1, authorId: 'b' } })
    expect(await nextResult(results)).toMatchObject({
      data: { postChanged: { new: { author: { email: 'bob@x', bio: null } } } },
      errors: [{ extensions: { code: 'FIELD_HIDDEN' }, path: ['postChanged', 'new', 'author', 'bio'] }],
    })
  })
})

describe('related rows of an image', () => {
  it('are those that the viewer may see', async () => {
    let asked = ''
    const answers = {
      'user.findUnique': () => ADA,
      'post.findMany': ({ where }: Record<string, unknown>) => {
        asked = JSON.stringify(where)
        return [{ id: 1, title: 'not asked for' }]
      },
    }
    const { feed, see } = openBlog(
      { User: membersOnly, Post: { rows: () => ({ title: { startsWith: 'p' } }) as never } },
      { answers },
    )
    const results = await see('subscription { postChanged { new { author { id } replies { id } } } }')
    feed.commit({ model: 'Post', action: 'INSERT', new: { id: 1, title: 'p', authorId: 'a' } })
    // The author is an admin, hidden from this viewer; the reply came without the policy's blessing.
    expect(await nextResult(results)).toEqual({
      data: { postChanged: { new: { author: null, replies: [] } } },
    })
    // Prisma was given the rule as well: a page is to be full of what can be seen.
    expect(asked).toContain('{"title":{"startsWith":"p"}}')
  })
})

describe('a foreign key that is hidden', () => {
  const withoutAuthor = { fields: () => ['id', 'title', 'body', 'parentId'] }

  it('hides the relation from the side that has it, and the way back', async () => {
    const answers = { 'post.findMany': () => [{ id: 1, title: 'p' }], 'user.findUnique': () => BOB }
    const { feed, see, watch } = openBlog({ Post: withoutAuthor }, { answers })
    expect(codeOf(await watch('subscription { postChanged { new { author { id } } } }'))).toBe('FIELD_HIDDEN')
    expect(codeOf(await watch('subscription { userChanged { new { posts { id } } } }'))).toBe('FIELD_HIDDEN')
    // Where it stands deeper, the field alone is an error.
    const results = await see('subscription { postChanged { new { title replies { author { id } } } } }')
    feed.commit({ model: 'Post', action: 'INSERT', new: { id: 9, title: 'p', authorId: 'b' } })
    expect(await nextResult(results)).toMatchObject({
      data: { postChanged: { new: { title: 'p', replies: [{ author: null }] } } },
      errors: [{ extensions: { code: 'FIELD_HIDDEN' } }],
    })
  })
})

describe('a key that is hidden', () => {
  const withoutId = { fields: () => ['email'] }

  it('still leads an image to its related rows', async () => {
    const wheres: unknown[] = []
    const answers = {
      'post.findMany': ({ where }: Record<string, unknown>) => {
        wheres.push(where)
        return [{ id: 1, title: 'p' }]
      },
    }
    const { feed, see, watch } = openBlog({ User: withoutId }, { answers })
    expect(codeOf(await watch('subscription { userChanged { key { rowId } } }'))).toBe('FIELD_HIDDEN')
    const results = await see('subscription { userChanged { new { email posts { title } } } }')
    feed.commit({ action: 'INSERT', new: BOB, key: { id: 'b' } })
    expect(await nextResult(results)).toEqual({
      data: { userChanged: { new: { email: 'bob@x', posts: [{ title: 'p' }] } } },
    })
    expect(JSON.stringify(wheres)).toContain('"b"')
  })

  it('finds no row by guessing', async () => {
    const { query } = openBlog({ User: withoutId }, { answers: { 'user.findFirst': () => BOB } })
    expect(codeOf(await query('{ user(id: "00000000-0000-4000-8000-00000000000b") { email } }'))).toBe(
      'FIELD_HIDDEN',
    )
  })
})

describe('a policy that fails', () => {
  const boom = () => {
    throw new Error('the policy server is down: password=hunter2')
  }

  it.each([
    ['rows throws', { rows: boom }],
    ['rows rejects', { rows: async () => boom() }],
    ['rows says nothing', { rows: () => undefined as never }],
    ['rows is empty, and would be everything', { rows: () => ({}) }],
    ['rows has an undefined value, and would be everything', { rows: () => ({ email: undefined }) as never }],
    ['rows has an empty AND', { rows: () => ({ AND: [] }) }],
    ['rows has an empty NOT', { rows: () => ({ NOT: [] }) }],
    ['rows has an AND of nothing, beside a condition', { rows: () => ({ email: 'x', AND: [] }) }],
    ['rows names a field without a condition', { rows: () => ({ email: {} }) as never }],
    ['rows has a `not` of nothing', { rows: () => ({ email: { not: {} } }) as never }],
    ['rows has a mode alone', { rows: () => ({ email: { mode: 'insensitive' } }) as never }],
    ['rows has none to leave out', { rows: () => ({ email: { notIn: [] } }) }],
    ['rows takes away no tags', { rows: () => ({ NOT: { tags: { hasSome: [] } } }) }],
    ['rows takes away what is less than nothing', { rows: () => ({ NOT: { email: { lt: '' } } }) }],
    ['rows takes away nothing', { rows: () => ({ NOT: { email: { in: [] } } }) }],
    [
      'rows asks for a text of no letters',
      { rows: () => ({ OR: [{ email: 'x' }, { email: { endsWith: '' } }] }) },
    ],
    ['rows has an empty group', { rows: () => ({ email: 'x', AND: [{}] }) as never }],
    ['rows asks for a relation', { rows: () => ({ posts: { some: {} } }) as never }],
    ['fields throws', { fields: boom }],
    ['fields names what is not there', { fields: () => ['emial'] }],
    ['fields says nothing', { fields: () => null as never }],
    ['canSubscribe throws', { canSubscribe: boom }],
    ['canSubscribe says nothing', { canSubscribe: () => undefined as never }],
  ])('because %s refuses the subscription, with the reason for the log alone', async (_, policy) => {
    const { watch, feed } = openBlog({ User: policy })
    const result = await watch(WHOLE)
    const [error] = errorsOf(result)
    // Not public: the server masks it.
    expect(isRowcastError(error?.originalError, 'POLICY_FAILED')).toBe(true)
    expect(error?.originalError?.message).not.toContain('hunter2')
    expect(error?.extensions).toEqual({})
    expect(feed.requests).toEqual([])
  })

  it('does not disturb the others', async () => {
    const rows = (context: object) => ((context as Viewer).name === 'bad' ? boom() : ('all' as const))
    const { watch, feed, see } = openBlog({ User: { rows } })
    const good = await see(WHOLE, { name: 'good' })
    await watch(WHOLE, { name: 'bad' })
    feed.commit({ action: 'INSERT', new: BOB })
    expect(await nextResult(good)).toMatchObject({ data: { userChanged: { new: { email: 'bob@x' } } } })
  })

  it('names the relation and what to use instead', async () => {
    const { watch } = openBlog({ Post: { rows: () => ({ author: { email: 'x' } }) as never } })
    const [error] = errorsOf(await watch('subscription { postChanged { action } }'))
    expect(error?.originalError?.message).toMatch(/Post follows relations.*none are followed/s)
  })
})

it('canSubscribe lets in or refuses, and is asked of nobody who only queries related rows', async () => {
  const canSubscribe = (context: object) => (context as Viewer).name === 'bob'
  const { watch, see } = openBlog({ User: { canSubscribe } })
  expect(codeOf(await watch(WHOLE, { name: 'ada' }))).toBe('FORBIDDEN')
  await see(WHOLE, { name: 'bob' })
  await see('subscription { postChanged { new { author { id } } } }', { name: 'ada' })
})

it('asks each policy once for an operation, however often the model stands in it', async () => {
  let count = 0
  const rows = async () => {
    count += 1
    return 'all' as const
  }
  const { see } = openBlog({ User: { rows } })
  await see('subscription { userChanged { old { rowId } new { id posts { author { id } } } } }')
  expect(count).toBe(1)
})
