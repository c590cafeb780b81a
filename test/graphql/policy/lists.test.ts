/** Policies of lists that are asked for with a filter, an order and a page: whoever asks learns of nothing that is not theirs. */
import { describe, expect, it } from 'vitest'
import { codeOf, openBlog } from './viewer.ts'

type Query = Readonly<Record<string, unknown>>

function openGuarded() {
  const asked: Query[] = []
  const blog = openBlog(
    {
      User: {
        rows: () => ({ role: 'MEMBER' as never }),
        fields: () => ['id', 'email', 'role', 'tags', 'balance'],
      },
    },
    {
      answers: {
        'user.findMany': (query) => {
          asked.push(query)
          return []
        },
      },
    },
  )
  return { ...blog, asked }
}

describe('a list with a policy', () => {
  it('is of the rows that the viewer may see, whatever the filter and the page say', async () => {
    const { query, asked } = openGuarded()
    const after = '6a0e3a3c-0000-4000-8000-000000000001'
    await query('{ users(where: { OR: [{ role: { equals: ADMIN } }, { email: { equals: "a" } }] }) { id } }')
    await query(`{ users(first: 2, after: { id: "${after}" }) { id } }`)
    await query('{ users { id } }')
    const where = { OR: [{ role: { equals: 'ADMIN' } }, { email: { equals: 'a' } }] }
    expect(asked.map((each) => each['where'])).toEqual([
      { AND: [where, { role: 'MEMBER' }] },
      { AND: [{ OR: [{ AND: [{ id: { gt: after } }] }] }, { role: 'MEMBER' }] },
      { role: 'MEMBER' },
    ])
    expect(asked.map((each) => each['take'])).toEqual([50, 2, 50])
  })

  it('is of no rows for somebody who may see none, also beside a filter', async () => {
    for (const rule of ['none', { OR: [] }, { email: 'a', OR: [] }] as const) {
      const asked: Query[] = []
      const answers = {
        'user.findMany': (query: Query) => {
          asked.push(query)
          return []
        },
      }
      const { query } = openBlog({ User: { rows: () => rule as never } }, { answers })
      await query('{ users(where: { email: { equals: "a" } }) { id } }')
      // Below the root Prisma leaves an empty OR out.
      expect(asked).toMatchObject([{ where: { AND: [{ email: { equals: 'a' } }, { id: { in: [] } }] } }])
    }
  })

  it('is ordered by each field once, however often it is named', async () => {
    const { query, asked } = openGuarded()
    const named = 'email: ASC }, { email: DESC }, { role: DESC }, { email: ASC'
    await query(`{ users(orderBy: [{ ${named} }]) { id } }`)
    expect(asked[0]?.['orderBy']).toEqual([{ email: 'asc' }, { role: 'desc' }, { id: 'asc' }])
    const many = Array.from({ length: 500 }, () => '{ email: ASC }').join()
    const id = '6a0e3a3c-0000-4000-8000-000000000001'
    await query(`{ users(orderBy: [${many}], after: { email: "a", id: "${id}" }) { id } }`)
    expect(JSON.stringify(asked[1]?.['where']).length).toBeLessThan(500)
  })

  it('can neither be filtered by a hidden field, nor ordered, nor paged', async () => {
    const { query, asked } = openGuarded()
    expect(codeOf(await query('{ users(where: { bio: { equals: "x" } }) { id } }'))).toBe('BAD_FILTER')
    expect(codeOf(await query('{ users(orderBy: { bio: ASC }) { id } }'))).toBe('FIELD_HIDDEN')
    expect(asked).toEqual([])
  })
})
