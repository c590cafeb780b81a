/** A filter around a variable that has no value matches nothing: it is refused, with the name of the variable. */
import { describe, expect, it } from 'vitest'
import { readSubscription } from '../../src/graphql/explain/read-subscription.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { blogCatalog } from './blog-catalog.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma } from './recording-prisma.ts'
import { trySubscribe } from './subscribe-to.ts'

async function subscribe(definitions: string, filter: string, variables: Record<string, unknown> = {}) {
  const feed = createFakeFeed(blogCatalog, ['User'])
  const options = { catalog: blogCatalog, prisma: createRecordingPrisma(), feed, models: { User: {} } }
  const source = `subscription ${definitions} { userChanged(${filter}) { action } }`
  const result = await trySubscribe(buildServiceSchema(options), source, variables)
  if (Symbol.asyncIterator in result) {
    await result.return()
    return { code: null, message: '', hint: '', requests: feed.requests }
  }
  const [error] = result.errors ?? []
  const { code, hint } = error?.extensions ?? {}
  return { code, message: error?.message ?? '', hint: String(hint), requests: feed.requests }
}

describe('a filter with a variable that has no value', () => {
  it.each([
    ['($n: String)', 'where: { email: { equals: $n } }', 'where.email.equals: the variable $n has no value'],
    ['($f: StringFilter)', 'where: { email: $f }', 'where.email: the variable $f has no value'],
    ['($n: String)', 'where: { email: { equals: $n }, bio: { equals: "x" } }', 'where.email.equals'],
    ['($n: String)', 'where: { email: { startsWith: "a", endsWith: $n } }', 'where.email.endsWith'],
    ['($w: [UserWhere!])', 'where: { OR: $w }', 'where.OR: the variable $w has no value'],
    ['($w: [UserWhere!])', 'where: { AND: $w }', 'where.AND: the variable $w has no value'],
    ['($n: String)', 'where: { NOT: { OR: [{ bio: { contains: $n } }] } }', 'where.NOT.OR[0].bio.contains'],
    ['($n: String)', 'where: { email: { not: { equals: $n } } }', 'where.email.not.equals'],
    ['($n: String)', 'where: { tags: { has: $n } }', 'where.tags.has'],
    ['($w: UserWhere)', 'where: $w', 'where: the variable $w has no value'],
    ['($n: String)', 'old: { email: { equals: $n } }', 'old.email.equals'],
    ['($n: String)', 'new: { email: { equals: $n } }', 'new.email.equals'],
    ['($c: [UserField!])', 'changed: $c', 'changed: the variable $c has no value'],
  ])('%s %s: %s', async (definitions, filter, expected) => {
    const { code, message, requests } = await subscribe(definitions, filter)
    expect(message).toContain(expected)
    expect(code).toBe('BAD_FILTER')
    expect(requests).toEqual([])
  })

  it.each([
    ['where: {}', {}, 'where: an empty filter would match every row'],
    ['where: $w', { w: {} }, 'where: an empty filter would match every row'],
    ['where: $w', { w: { email: {} } }, 'where.email: the filter of a field needs an operator'],
    [
      'where: $w',
      { w: { email: { mode: 'INSENSITIVE' } } },
      'where.email: the filter of a field needs an operator',
    ],
    ['where: $w', { w: { NOT: [{ bio: { equals: 'x' } }, {}] } }, 'where.NOT[1]: an empty filter'],
    ['old: $w', { w: {} }, 'old: an empty filter'],
  ])('%s with %o, as JSON leaves it when a value is undefined: %s', async (filter, variables, expected) => {
    const definitions = filter.includes('$w') ? '($w: UserWhere)' : ''
    const { code, message, requests } = await subscribe(definitions, filter, variables)
    expect(code).toBe('BAD_FILTER')
    expect(message).toContain(expected)
    expect(requests).toEqual([])
  })

  it('has the hint how to ask for every row', async () => {
    const { hint } = await subscribe('($w: UserWhere)', 'where: $w', { w: {} })
    expect(hint).toContain('leave `where` out (or null) for every row')
  })
})

describe('the question why a change did not come', () => {
  it('reads a filter as the subscription did', () => {
    const feed = createFakeFeed(blogCatalog, ['User'])
    const options = { catalog: blogCatalog, prisma: createRecordingPrisma(), feed, models: { User: {} } }
    const text = 'subscription ($n: String) { userChanged(where: { email: { equals: $n } }) { action } }'
    expect(() => readSubscription(buildServiceSchema(options), text, {})).toThrow(
      'the variable $n has no value',
    )
  })
})

describe('a filter is taken', () => {
  it.each([
    ['whose variable has a value', '($n: String)', 'where: { email: { equals: $n } }', { n: 'x' }],
    [
      'whose variable is null, where that is a value',
      '($n: String)',
      'where: { bio: { equals: $n } }',
      { n: null },
    ],
    ['whose variable has a default', '($n: String = "x")', 'where: { email: { equals: $n } }', {}],
    ['that is null', '($w: UserWhere)', 'where: $w', { w: null }],
    ['whose actions are null: all of them', '($a: [ChangeAction!])', 'action: $a', { a: null }],
    ['whose actions are not given: all of them', '($a: [ChangeAction!])', 'action: $a', {}],
    ['that is null by default', '($w: UserWhere = null)', 'where: $w', {}],
    ['that is not there', '', 'action: INSERT', {}],
  ])('%s', async (_name, definitions, filter, variables) => {
    const { message, requests } = await subscribe(definitions, filter, variables)
    expect(message).toBe('')
    expect(requests).toHaveLength(1)
  })
})
