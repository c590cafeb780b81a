/** The kit on a schema of TypeGraphQL, under Yoga. Decorators are called by hand: tests are not compiled for them. */
import 'reflect-metadata'
import { buildSchema, Field, ID, ObjectType, Query, Resolver, registerEnumType } from 'type-graphql'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import type { ConformanceFeed, ConformanceTarget } from '../conformance/target.ts'
import { serveWithYoga } from '../conformance/yoga.ts'

/** What `@ObjectType()`, `@Resolver()` and `buildSchema` make, extended. */
export async function serveWithTypeGraphql(feed: ConformanceFeed): Promise<ConformanceTarget> {
  const Role = { MEMBER: 'MEMBER', ADMIN: 'ADMIN' }
  registerEnumType(Role, { name: 'Role' })
  class User {}
  const field = (name: string, type: () => unknown, nullable = false) =>
    Field(type as () => never, { nullable })(User.prototype, name)
  field('id', () => ID)
  field('email', () => String)
  field('bio', () => String, true)
  field('role', () => Role)
  field('tags', () => [String])
  ObjectType('User')(User)
  class Own {
    hello(): string {
      return 'world'
    }
    me(): object {
      return { id: 'a', email: 'ada@x', bio: null, role: 'ADMIN', tags: [] }
    }
  }
  query(Own, 'hello', () => String)
  query(Own, 'me', () => User)
  Resolver()(Own)
  const schema = await buildSchema({ resolvers: [Own], validate: false })
  return serveWithYoga(
    addChanges(schema, feed, { models: { User: { type: 'User' }, Tag: {} }, changes: true }),
  )
}

function query(of: new () => object, method: string, type: () => unknown): void {
  const descriptor = Object.getOwnPropertyDescriptor(of.prototype, method)
  if (descriptor !== undefined)
    Query(type as () => never, { nullable: true })(of.prototype as object, method, descriptor)
}
