/** What a condition on related rows may not say. What it means is the oracle's matter. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { evaluateCondition } from '../../../src/bus/filter/compile-condition.ts'
import { costOf, keySetsOf } from '../../../src/bus/filter/condition.ts'
import { type ParseWhereOptions, parseWhere } from '../../../src/bus/filter/parse-where.ts'
import { refusalOf } from '../../support/filter-refusal.ts'

const { User, Post } = catalog.models
const WITH_RELATIONS: ParseWhereOptions = { relations: {} }

function refusal(where: unknown, options: ParseWhereOptions = WITH_RELATIONS, model = Post): string {
  return refusalOf(where, options, model)
}

describe('a condition on related rows', () => {
  it.each<[unknown, string]>([
    [{ team: { is: undefined } }, 'where.team.is: the value is undefined'],
    [{ team: { isNot: { name: undefined } } }, 'where.team.isNot.name: the value is undefined'],
    [{ team: { is: { name: 'x' }, name: 'x' } }, 'where.team.name: a relation has no such operator'],
    [{ team: { some: {} } }, 'where.team.some: Team has no such field'],
    [{ team: {} }, 'where.team: the filter of a field needs an operator'],
    [{ team: 5 }, 'where.team: a relation takes operators'],
    [{ team: [{ name: 'x' }] }, 'where.team: a relation takes operators'],
    [{ author: null }, 'where.author: the relation is required, and never null'],
    [{ author: { isNot: null } }, 'where.author.isNot: the relation is required'],
    [{ tags: { is: {} } }, 'where.tags.is: a relation has no such operator'],
    [{ tags: {} }, 'where.tags: the filter of a field needs an operator'],
    [{ tags: null }, 'where.tags: a relation takes operators'],
    [{ tags: { some: null } }, 'where.tags.some: takes a condition on the related rows'],
    [{ tags: { every: { name: {} } } }, 'where.tags.every.name: the filter of a field needs an operator'],
    [{ tags: { some: { nam: 'x' } } }, 'where.tags.some.nam: Tag has no such field'],
    [
      { team: { memberships: { some: { user: { posts: { some: {} } } } } } },
      'where.team.memberships.some.user.posts: it is more than 3 relations away',
    ],
  ])('%j is refused', (where, message) => {
    expect(refusal(where)).toContain(message)
  })

  it('is refused altogether where nobody answers for other rows', () => {
    expect(refusal({ team: { is: { name: 'x' } } }, {})).toContain('where.team: this is a relation')
  })

  it('may not name what is hidden of the related model', () => {
    const hiddenFieldsOf = () => new Set(['slug', 'posts'])
    const options = { relations: { hiddenFieldsOf } }
    expect(refusal({ team: { slug: 'x' } }, options)).toContain('where.team.slug: Team has no such field')
    expect(refusal({ team: { posts: { some: {} } } }, options)).toContain(
      'where.team.posts: Team has no such field',
    )
  })

  it('may not be empty where values come through JSON', () => {
    const options: ParseWhereOptions = { relations: {}, emptyObjects: 'refuse' }
    expect(refusal({ tags: { some: {} } }, options)).toContain('where.tags.some: an empty filter')
    expect(refusal({ NOT: { tags: { none: {} } } }, options)).toContain(
      'where.NOT.tags.none: an empty filter',
    )
  })

  it('is bounded together with the rest of the filter', () => {
    const some = { some: { OR: [{ name: 'a' }, { name: 'b' }] } }
    expect(refusal({ tags: some }, { relations: {}, limits: { termsMax: 3 } })).toContain(
      'more than 3 conditions',
    )
    expect(costOf(parseWhere(Post, catalog, { tags: some }, WITH_RELATIONS))).toBe(4)
  })

  it('is not known without the keys of the related rows', () => {
    const condition = parseWhere(User, catalog, { posts: { some: {} } }, WITH_RELATIONS)
    expect(evaluateCondition(condition, { id: '00000000-0000-4000-8000-000000000000' })).toBeUndefined()
  })

  it('asks under a NOT of which related rows it is not false, where a row can make it null', () => {
    const countsOf = (author: object) =>
      keySetsOf(parseWhere(Post, catalog, { NOT: { author } }, WITH_RELATIONS)).map(({ counts }) => counts)
    expect(countsOf({ email: 'a@x' })).toEqual(['true'])
    expect(countsOf({ fullName: 'a' })).toEqual(['not false'])
    // The column of a list takes NULL, whatever the schema of Prisma says.
    expect(countsOf({ tags: { has: 'a' } })).toEqual(['not false'])
  })

  it('asks one set for the same rows, whichever relation leads to them', () => {
    const textOf = (where: object) =>
      keySetsOf(parseWhere(Post, catalog, where, WITH_RELATIONS)).map(({ text }) => text)
    const [author] = textOf({ author: { role: 'ADMIN' } })
    expect(textOf({ reviewer: { is: { role: 'ADMIN' } } })).toEqual([author])
    expect(textOf({ reviewer: { is: { role: 'MEMBER' } } })).not.toEqual([author])
    expect(textOf({ reviewer: { isNot: { fullName: 'x' } } })).not.toEqual(
      textOf({ reviewer: { fullName: 'x' } }),
    )
  })
})
