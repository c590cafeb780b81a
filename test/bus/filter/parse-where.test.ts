/** What a filter may not say, and how that is refused. What it may is the oracle's matter. */
import { describe, expect, it } from 'vitest'
import { Prisma } from '../../../prisma/generated/client/client.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { parseChangeFilter } from '../../../src/bus/filter/change-filter.ts'
import { compileCondition, evaluateCondition } from '../../../src/bus/filter/compile-condition.ts'
import { TRUE } from '../../../src/bus/filter/outcome.ts'
import { type ParseWhereOptions, parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { FieldSpec, ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { Decimal } from '../../../src/catalog/prisma-runtime.ts'
import { jsonbCodec } from '../../../src/catalog/values/plain-codecs.ts'
import { UnrepresentableValue } from '../../../src/catalog/values/unrepresentable-value.ts'
import { buildField, buildModel } from '../../support/catalog-builder.ts'
import { countTextWork } from '../../support/count-text-work.ts'
import { refusalOf } from '../../support/filter-refusal.ts'

const { User, Post } = catalog.models

/** A filter on one field of its own model, and a value. */
function holds(type: string, filter: unknown, value: unknown, more: Partial<FieldSpec> = {}) {
  const model = buildModel([buildField('it', type, { isRequired: false, ...more })])
  const own: ModelCatalog = {
    formatVersion: 1,
    models: { Thing: model },
    enums: catalog.enums,
    joinTables: [],
  }
  return evaluateCondition(parseWhere(model, own, { it: filter }), { it: value })
}

describe('what is refused, where, and what is allowed there', () => {
  it.each<[unknown, string]>([
    [5, 'where: takes an object'],
    [[], 'where: takes an object'],
    [null, 'where: takes an object'],
    [new Date(), 'where: takes an object'],
    [
      { email: {} },
      'where.email: the filter of a field needs an operator: without one it would match every row',
    ],
    [{ email: { mode: 'insensitive' } }, 'where.email: the filter of a field needs an operator'],
    [{ email: { not: {} } }, 'where.email.not: the filter of a field needs an operator'],
    [{ email: { equals: 'x', not: {} } }, 'where.email.not: the filter of a field needs an operator'],
    [{ email: { not: { not: {} } } }, 'where.email.not.not: the filter of a field needs an operator'],
    [{ AND: [{ id: {} }] }, 'where.AND[0].id: the filter of a field needs an operator'],
    [{ NOT: { OR: [{ role: {} }] } }, 'where.NOT.OR[0].role: the filter of a field needs an operator'],
    [{ isActive: {} }, 'where.isActive: the filter of a field needs an operator'],
    [{ balance: {} }, 'where.balance: the filter of a field needs an operator'],
    [{ createdAt: {} }, 'where.createdAt: the filter of a field needs an operator'],
    [{ avatar: {} }, 'where.avatar: the filter of a field needs an operator'],
    [{ profile: {} }, 'where.profile: the filter of a field needs an operator'],
    [{ profile: { mode: 'insensitive' } }, 'where.profile: the filter of a field needs an operator'],
    [{ profile: { path: undefined, equals: 1 } }, 'where.profile.path: takes a list'],
    [{ emal: 'x' }, 'where.emal: User has no such field. Hint: Use one of id, email, '],
    [{ constructor: 'x' }, 'where.constructor: User has no such field'],
    [{ posts: { some: {} } }, 'where.posts: this is a relation'],
    [{ email: undefined }, 'where.email: the value is undefined, which would match every row'],
    [{ email: { equals: undefined } }, 'where.email.equals: this is no value of the field. Hint: Give text'],
    [{ email: null }, 'where.email: email is never null'],
    [{ email: { in: null } }, 'email is never null'],
    [{ email: 5 }, 'where.email: this is no value of the field. Hint: Give text'],
    [{ email: { like: 'x' } }, 'where.email.like: the field has no such operator. Hint: Use equals, not, in'],
    [{ email: { lt: null } }, 'where.email.lt: null is not a value here'],
    [{ email: { in: 'x' } }, 'where.email.in: takes a list'],
    [{ email: { in: ['a', null] } }, 'where.email.in[1]: null is not a value here'],
    [{ email: { contains: 5 } }, 'where.email.contains: takes text'],
    [{ email: { endsWith: 'a\\' } }, 'the pattern ends with the escape character'],
    [{ email: { equals: 'a\\', mode: 'insensitive' } }, 'the pattern ends with the escape character'],
    [{ email: { mode: 'loose' } }, 'where.email.mode: there is no such mode'],
    [{ email: { not: { mode: 'insensitive' } } }, 'where.email.not.mode: the field has no such operator'],
    [{ id: 'x' }, 'where.id: this is no value of the field. Hint: Give a UUID'],
    [{ id: { contains: 'a' } }, 'where.id.contains: the field has no such operator'],
    [{ id: { mode: 'insensitive' } }, 'Hint: Leave it out: the case of a UUID never counts'],
    [{ role: 'OWNER' }, 'Hint: Give one of MEMBER, EDITOR, ADMIN'],
    [{ role: { gt: 'MEMBER' } }, 'Hint: Use equals, not, in, notIn'],
    [{ balance: '1,5' }, 'Give a decimal number'],
    [{ balance: new Decimal('NaN') }, 'Give a decimal number'],
    [{ storageBytes: 2n ** 63n }, 'Give a whole number of 64 bits'],
    [{ storageBytes: 1.5 }, 'Give a whole number of 64 bits'],
    [{ signInCount: 1.5 }, 'Give a whole number'],
    [{ isActive: { in: [true] } }, 'Hint: Use equals, not.'],
    [{ createdAt: '2020-01-01' }, 'Give a date and time'],
    [{ createdAt: new Date(Number.NaN) }, 'Give a date and time'],
    [{ avatar: 'AQ==' }, 'Give bytes'],
    [{ tags: ['a'] }, 'where.tags: the filter of a list takes exactly one operator'],
    [{ tags: {} }, 'takes exactly one operator'],
    [{ tags: { has: 'a', isEmpty: true } }, 'takes exactly one operator'],
    [{ tags: { not: ['a'] } }, 'where.tags.not: a list has no such operator'],
    [{ tags: { equals: null } }, 'Hint: Use `isEmpty` for an empty list'],
    [{ tags: { has: null } }, 'where.tags.has: this is no value of the list'],
    [{ tags: { isEmpty: 'no' } }, 'where.tags.isEmpty: takes a Boolean'],
    [{ OR: { email: 'x' } }, 'where.OR: takes a list'],
    [{ AND: [null] }, 'where.AND[0]: takes an object'],
    [{ NOT: [{ OR: [{ emial: 1 }] }] }, 'where.NOT[0].OR[0].emial: User has no such field'],
    [{ profile: 5 }, 'where.profile: Json has no shorthand'],
    [{ profile: { path: ['a'] } }, '`path` alone asks nothing'],
    [{ profile: { path: 'a', equals: 1 } }, 'where.profile.path: takes a list'],
    [{ profile: { equals: Prisma.DbNull } }, 'Hint: Use AnyNull'],
    [{ profile: { equalsNull: 'Null' } }, 'Hint: Use DbNull, JsonNull, AnyNull'],
    [{ profile: { equals: () => 1 } }, 'this is no JSON value'],
    [{ profile: { equals: 2 ** 53 } }, 'where.profile.equals: a number beyond 2^53 is not exact'],
    [{ profile: { path: ['a'], not: { b: [-(2 ** 60)] } } }, 'a number beyond 2^53 is not exact'],
    [{ profile: { path: ['a'], array_contains: [1e21] } }, 'a number beyond 2^53 is not exact'],
    [{ profile: { path: ['a'], gt: 2 ** 53 } }, 'where.profile.gt: a number beyond 2^53 is not exact'],
    [{ profile: { equals: 'x', mode: 'insensitive' } }, 'Json documents are compared as they are'],
    [{ profile: { string_contains: 'x', mode: 'insensitive' } }, 'Hint: Add `path: []`'],
    [{ profile: { gt: true } }, 'only numbers and strings have an order'],
    [{ profile: { has: 1 } }, 'where.profile.has: Json has no such operator'],
  ])('%o: %s', (where, expected) => {
    expect(refusalOf(where)).toContain(expected)
  })

  it('names the foreign key for a relation that has one, the other model for one that has not', () => {
    expect(refusalOf({ author: { is: {} } }, {}, Post)).toContain('Hint: Filter on authorId.')
    expect(refusalOf({ posts: {} })).toContain('Hint: Filter the changes of Post instead.')
  })

  it('knows nothing of what is hidden, by name or in a list', () => {
    const options = { hiddenFields: new Set(['passwordHash', 'posts']) }
    const absent = refusalOf({ passwordHush: 'x' }, options)
    expect(absent).not.toContain('passwordHash')
    expect(refusalOf({ passwordHash: 'x' }, options)).toBe(absent.replaceAll('passwordHush', 'passwordHash'))
    expect(refusalOf({ posts: {} }, options)).toContain('User has no such field')
  })

  it('never repeats a value', () => {
    expect(refusalOf({ signInCount: 'hunter2' })).not.toContain('hunter2')
    expect(refusalOf({ ['x'.repeat(10_000)]: 1 }).length).toBeLessThan(1_000)
  })

  it('an undefined or empty part is refused where a policy would be widened by it', () => {
    const options: ParseWhereOptions = { emptyGroups: 'refuse' }
    expect(refusalOf({ AND: [{ isActive: true }, { OR: [] }] }, options)).toContain('would be left out')
    expect(refusalOf({ OR: [{}] }, options)).toContain('would be left out')
    expect(() => parseWhere(User, catalog, { OR: [] }, options)).not.toThrow()
    expect(() => parseWhere(User, catalog, { AND: [{ isActive: true }, { OR: [] }] })).not.toThrow()
  })
})

describe('an empty object', () => {
  it('is every row, as Prisma has it, but where a value may have been lost on the way', () => {
    expect(parseWhere(User, catalog, {})).toEqual({ kind: 'constant', value: true })
    expect(refusalOf({}, { emptyObjects: 'refuse' })).toContain(
      'where: an empty filter would match every row',
    )
    expect(refusalOf({ NOT: {} }, { emptyObjects: 'refuse' })).toContain('where.NOT: an empty filter')
    const nested = { isActive: true, OR: [{ AND: [{}] }] }
    expect(refusalOf(nested, { emptyObjects: 'refuse' })).toContain('where.OR[0].AND[0]: an empty filter')
  })
})

describe('how much a filter may ask', () => {
  it('conditions, levels, lists and values', () => {
    const many = Array.from({ length: 300 }, () => ({ isActive: true }))
    expect(refusalOf({ OR: many })).toContain('more than 256 conditions')
    let deep: unknown = { isActive: true }
    for (let level = 0; level < 20; level++) deep = { NOT: deep }
    expect(refusalOf(deep)).toContain('more than 16 levels deep')
    let nots: unknown = 'x'
    for (let level = 0; level < 20; level++) nots = { not: nots }
    expect(refusalOf({ email: nots })).toContain('more than 16 levels deep')
    expect(refusalOf({ signInCount: { in: Array.from({ length: 1_001 }, (_, i) => i) } })).toContain(
      'too long',
    )
    const list = Array.from({ length: 1_000 }, (_, index) => index)
    const lists = Array.from({ length: 11 }, () => ({ signInCount: { in: list } }))
    expect(refusalOf({ OR: lists })).toContain('more than 10000 values')
    expect(refusalOf({ profile: { equals: Array.from({ length: 10_001 }, () => 1) } })).toContain(
      'more than 10000 values',
    )
    let document: unknown = 1
    for (let level = 0; level < 5_000; level++) document = [document]
    expect(refusalOf({ profile: { equals: document } })).toContain('this is no JSON value')
    expect(refusalOf({ email: { in: ['a', 'b'] } }, { limits: { listLengthMax: 1 } })).toContain(
      'Give at most 1',
    )
  })
})

describe('what a filter may cost', () => {
  function costOfFilter(where: unknown) {
    return parseChangeFilter(User, catalog, { where })?.cost
  }

  it.each<[unknown, number]>([
    [{ email: 'a' }, 1],
    [{ email: 'a', signInCount: { gt: 1, lt: 5 } }, 3],
    [{ NOT: { OR: [{ fullName: null }] } }, 1],
    [{ email: { contains: 'a' } }, 8],
    [{ email: { contains: 'a_b' } }, 32],
    [{ email: { contains: `a${'_'.repeat(40)}b` } }, 64],
    [{ tags: { has: 'a' } }, 1],
    [{ tags: { hasEvery: Array.from({ length: 800 }, (_, index) => `t${index}`) } }, 101],
    [{ profile: { path: ['a'], array_contains: [1, 2] } }, 2],
    [{ profile: { path: ['a'], array_contains: [{ b: 1 }] } }, 4],
  ])('%o: %i', (where, cost) => {
    expect(costOfFilter(where)).toBe(cost)
  })

  it('is bounded', () => {
    const patterns = (count: number, text: string) => ({
      OR: Array.from({ length: count }, (_, index) => ({
        email: { contains: `${text}${index}`, mode: 'insensitive' },
      })),
    })
    expect(costOfFilter(patterns(32, 'x'))).toBe(256)
    expect(() => costOfFilter(patterns(33, 'x'))).toThrow(/\[FILTER_TOO_COSTLY\]/)
    expect(() => costOfFilter(patterns(9, 'x_'))).toThrow(/\[FILTER_TOO_COSTLY\]/)
    // The three parts of one filter together.
    const half = patterns(17, 'x')
    expect(() => parseChangeFilter(User, catalog, { where: half, new: half })).toThrow('FILTER_TOO_COSTLY')
    expect(refusalOf({ email: { contains: '_'.repeat(30_000) } })).toContain('more than 1000 characters')
    expect(refusalOf({ email: { contains: 'x'.repeat(251) } })).toContain('more than 250 characters')
    expect(refusalOf({ email: { startsWith: 'x'.repeat(1_000) } })).toContain('more than 1000 characters')
    const nested = Array.from({ length: 60 }, (_, index) => ({ a: index }))
    expect(refusalOf({ profile: { array_contains: nested } })).toContain('more than 100 values')
  })

  it('is for each row, not for each condition, where a value has to be made ready', () => {
    const OR = Array.from({ length: 100 }, (_, index) => ({
      email: { contains: `nothing ${index}`, mode: 'insensitive' },
    }))
    const text = 'É'.repeat(5_000)
    const isMatch = compileCondition(parseWhere(User, catalog, { OR }))
    const work = countTextWork(() => isMatch({ email: text })) / text.length
    // A hundred searches, and lower case once.
    expect(work).toBeGreaterThan(100)
    expect(work).toBeLessThan(120)
  })

  it('and a list is looked at once', () => {
    let reads = 0
    const tags = Array.from({ length: 1_000 }, (_, index) => `t${index}`)
    const row = {
      tags: new Proxy(tags, {
        get(list, key, receiver) {
          if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1
          return Reflect.get(list, key, receiver)
        },
      }),
    }
    const AND = Array.from({ length: 5 }, () => ({ tags: { hasEvery: [...tags].reverse() } }))
    expect(compileCondition(parseWhere(User, catalog, { AND }))(row)).toBe(TRUE)
    expect(reads).toBeLessThanOrEqual(2_000)
  })
})

describe('values', () => {
  it('are compared as values, whatever they look like', () => {
    expect(holds('Decimal', '1.50', new Decimal('1.5'))).toBe(true)
    expect(holds('Decimal', { toFixed: () => '1.5' }, new Decimal('1.50'))).toBe(true)
    expect(holds('Decimal', 0, new Decimal('-0.00'))).toBe(true)
    expect(holds('BigInt', '5', 5n)).toBe(true)
    expect(holds('DateTime', '2020-01-01T02:00:00+02:00', new Date('2020-01-01'))).toBe(true)
    expect(
      holds('String', '{AAAAAAAA-0000-4000-8000-00000000000A}', 'aaaaaaaa-0000-4000-8000-00000000000a', {
        nativeType: 'Uuid',
      }),
    ).toBe(true)
    expect(holds('String', '::FFFF:10.0.0.1', '::ffff:a00:1', { nativeType: 'Inet' })).toBe(true)
    expect(holds('Float', { gt: 1e308 }, Number.NaN)).toBe(true)
    expect(holds('Int', '42', 42)).toBe(true)
  })

  it('of the end of a day are midnight, as Prisma Client sends them', () => {
    const time = { nativeType: 'Time' }
    const [midnight, end] = [new Date('1970-01-01T00:00:00Z'), new Date('1970-01-02T00:00:00Z')]
    expect(holds('DateTime', { equals: end }, midnight, time)).toBe(true)
    expect(holds('DateTime', { equals: end }, end, time)).toBe(false)
    expect(holds('DateTime', { gt: new Date('1970-01-01T23:59:59.999Z') }, end, time)).toBe(true)
  })

  it('that a row does not hold leave the answer open', () => {
    const unreadable = new UnrepresentableValue('unreadable', new Uint8Array())
    expect(holds('String', 'a', unreadable)).toBeUndefined()
    expect(holds('String', { contains: 'a' }, unreadable)).toBeUndefined()
    expect(holds('String', { not: null }, unreadable)).toBe(true)
    expect(holds('String', { has: 'a' }, unreadable, { isList: true })).toBeUndefined()
    const label = new UnrepresentableValue('unknown-label', 'owner')
    expect(holds('Role', 'ADMIN', label, { kind: 'enum' })).toBe(false)
    expect(holds('Role', { not: 'ADMIN' }, label, { kind: 'enum' })).toBe(true)
  })

  it('of Json are exact in lists, too, and one number alone that is not is unknown', () => {
    const list = (text: string) => [jsonbCodec.parse(text)]
    expect(holds('Json', { has: { n: 5 } }, list('{"n": 5.00}'), { isList: true })).toBe(true)
    expect(holds('Json', { has: { n: 5 } }, list('{"n": 5.00000000000000000001}'), { isList: true })).toBe(
      false,
    )
    expect(() => holds('Json', { has: 2 ** 53 }, [], { isList: true })).toThrow('BAD_FILTER')
    expect(holds('Json', { equals: 5 }, jsonbCodec.parse('5.00000000000000000001'))).toBeUndefined()
    expect(holds('Json', { equals: 5 }, jsonbCodec.parse('9007199254740993'))).toBe(false)
  })

  it('that PostgreSQL cannot compare can be asked for their absence', () => {
    const xml = { nativeType: 'Xml' }
    expect(holds('String', null, null, xml)).toBe(true)
    expect(holds('String', { not: null }, '<a/>', xml)).toBe(true)
    expect(() => holds('String', '<a/>', '<a/>', xml)).toThrow('PostgreSQL has no equality for xml')
    expect(() => holds('DateTime', { gt: new Date() }, null, { nativeType: 'Timetz' })).toThrow('BAD_FILTER')
    expect(() => holds('Json', { string_contains: 'a' }, 'a', { nativeType: 'Json' })).toThrow(
      'Add `path: []`',
    )
    expect(() => holds('Json', { has: 'a' }, [], { nativeType: 'Json', isList: true })).toThrow(
      'no equality for json',
    )
  })

  it('of money are rounded in a list, too, by the digits that are known when a row is there', () => {
    let scale = 2
    const field = buildField('it', 'Decimal', { nativeType: 'Money', isList: true })
    const model = buildModel([field])
    const own = { formatVersion: 1, models: { Thing: model }, enums: {}, joinTables: [] } as const
    const withScale: ModelCatalog = { ...own, '~moneyScale': () => scale }
    const condition = (filter: object) => parseWhere(model, withScale, { it: filter })
    const [has, equals] = [condition({ has: '1.005' }), condition({ equals: ['1.005', 2] })]
    const [some, every] = [condition({ hasSome: [7, '1.005'] }), condition({ hasEvery: ['1.005', 2] })]
    const answers = (row: readonly string[]) =>
      [has, equals, some, every].map((each) =>
        evaluateCondition(each, { it: row.map((digits) => new Decimal(digits)) }),
      )
    expect(answers(['1.01', '2'])).toEqual([true, true, true, true])
    scale = 0
    expect(answers(['1', '2'])).toEqual([true, true, true, true])
    expect(answers(['1.01', '2'])).toEqual([false, false, false, false])
  })
})
