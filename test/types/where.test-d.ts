/** What the type of a `where` must and must not allow. Compiled by `tsc`, never run. */
import { expectTypeOf } from 'vitest'
import { type Post, Prisma, type Team, type User } from '../../prisma/generated/client/client.ts'
import type { ListOperator } from '../../src/bus/filter/list-operators.ts'
import type { JsonOperator, ScalarOperator } from '../../src/bus/filter/operators.ts'
import type { FieldFilter, Where } from '../../src/bus/filter/where-type.ts'

/** All that Prisma's own `where` has, but for relations. */
export const users: readonly Where<User>[] = [
  {},
  { email: 'ada@example.com', isActive: true, role: 'ADMIN' },
  { email: { contains: 'ada', mode: 'insensitive', not: { startsWith: 'x' } }, fullName: null },
  { fullName: { equals: null }, deletedAt: { not: null } },
  { balance: { gte: '12.50' }, storageBytes: { lt: 5 }, signInCount: { in: [1, 2] } },
  { balance: new Prisma.Decimal(1), createdAt: '2026-11-23T00:00:00Z', birthDate: { lt: new Date() } },
  { avatar: new Uint8Array([1]), tags: { has: 'red' }, AND: [{ tags: { isEmpty: false } }] },
  { avatar: { in: [new Uint8Array()] }, OR: [{ role: { notIn: ['MEMBER'] } }], NOT: { isActive: false } },
  { settings: { path: ['theme', '0'], equals: 'dark' }, profile: { not: Prisma.AnyNull } },
]
export const posts: Where<Post> = {
  status: { equals: 'PUBLISHED' },
  rating: { gt: 4.5 },
  layout: { equals: {} },
}
export const teams: Where<Team> = { plan: { in: ['FREE', 'TEAM'] }, NOT: [{ plan: null }] }

expectTypeOf<keyof Where<Team>>().toEqualTypeOf<
  'id' | 'name' | 'slug' | 'plan' | 'createdAt' | 'AND' | 'OR' | 'NOT'
>()

// The types have the operators of the tables, and no others. `equalsNull` and `notNull` are GraphQL's.
type Objects<Filter> = Exclude<Filter, string | number | null | readonly unknown[]>
expectTypeOf<keyof Objects<FieldFilter<string>>>().toEqualTypeOf<ScalarOperator | 'mode'>()
expectTypeOf<keyof Objects<FieldFilter<string[]>>>().toEqualTypeOf<ListOperator>()
expectTypeOf<keyof Objects<FieldFilter<Prisma.JsonValue>>>().toEqualTypeOf<
  Exclude<JsonOperator, 'equalsNull' | 'notNull'> | 'path' | 'mode'
>()

/** A mistake per line. */
export const mistakes: readonly Where<User>[] = [
  // @ts-expect-error no such field
  { emial: 'x' },
  // @ts-expect-error no such operator
  { email: { like: 'x' } },
  // @ts-expect-error another type
  { email: 5 },
  // @ts-expect-error the field is required
  { email: null },
  // @ts-expect-error undefined would match every row
  { email: undefined },
  // @ts-expect-error no such role
  { role: 'OWNER' },
  // @ts-expect-error enums have no order
  { role: { gt: 'MEMBER' } },
  // @ts-expect-error Booleans have no list
  { isActive: { in: [true] } },
  // @ts-expect-error bytes have no order
  { avatar: { lt: new Uint8Array() } },
  // @ts-expect-error lists have no shorthand
  { tags: ['a'] },
  // @ts-expect-error one operator only
  { tags: { has: 'a', isEmpty: false } },
  // @ts-expect-error `mode` stands outermost
  { email: { not: { equals: 'x', mode: 'insensitive' } } },
  // @ts-expect-error Json has no shorthand
  { settings: 'dark' },
  // @ts-expect-error a relation
  { posts: { some: {} } },
  // @ts-expect-error OR takes a list
  { OR: { email: 'x' } },
  // @ts-expect-error numbers have no patterns
  { signInCount: { contains: '1' } },
]
