/** The kit under NestJS with its Apollo driver, code-first and schema-first. Decorators are called by hand: tests are not compiled for them. */
import 'reflect-metadata'
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Field, GraphQLModule, ID, ObjectType, Query, Resolver, registerEnumType } from '@nestjs/graphql'
import { addChanges, changeResolvers, changeTypeDefs } from '../../src/graphql/kit/schema-kit.ts'
import {
  type ConformanceFeed,
  type ConformanceTarget,
  OWN_SDL,
  VIEWER_HEADER,
} from '../conformance/target.ts'

const OPTIONS = { models: { User: { type: 'User' }, Tag: {} }, changes: true }

/** What `@Module({ imports: [GraphQLModule.forRoot(…)] })` and `NestFactory.create` do. */
async function serveWithNest(
  config: ApolloDriverConfig,
  providers: readonly (new () => object)[],
): Promise<ConformanceTarget> {
  class AppModule {}
  Module({
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        introspection: true,
        context: contextOf,
        subscriptions: { 'graphql-ws': true },
        ...config,
      }),
    ],
    providers: [...providers],
  })(AppModule)
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
  await app.listen(0, '127.0.0.1')
  const url = (await app.getUrl()).replace('localhost', '127.0.0.1')
  return { url, close: () => app.close() }
}

interface Incoming {
  readonly req?: {
    readonly headers?: Readonly<Record<string, unknown>>
    readonly extra?: unknown
  }
  readonly connectionParams?: Readonly<Record<string, unknown>>
}

/** Over HTTP Nest gives the request, over graphql-ws its context. */
function contextOf({ req, connectionParams }: Incoming): { readonly viewer: string } {
  return { viewer: String(connectionParams?.['viewer'] ?? req?.headers?.[VIEWER_HEADER] ?? 'nobody') }
}

/** Schema-first: SDL and resolvers are merged by Nest. */
export function serveSchemaFirst(feed: ConformanceFeed): Promise<ConformanceTarget> {
  class Own {
    hello(): string {
      return 'world'
    }
  }
  decorate(Own, 'hello', Query('hello'))
  Resolver()(Own)
  const config: ApolloDriverConfig = {
    typeDefs: [OWN_SDL, changeTypeDefs(feed, OPTIONS)],
    resolvers: changeResolvers(feed, OPTIONS) as never,
  }
  return serveWithNest(config, [Own])
}

/** Code-first: what the decorators made is extended. */
export function serveCodeFirst(feed: ConformanceFeed): Promise<ConformanceTarget> {
  const Role = { MEMBER: 'MEMBER', ADMIN: 'ADMIN' }
  registerEnumType(Role, { name: 'Role' })
  class User {}
  const field = (name: string, type: () => unknown, nullable = false) =>
    Field(type as () => never, { nullable } as never)(User.prototype, name)
  field('id', () => ID)
  field('email', () => String)
  field('bio', () => String, true)
  field('role', () => Role)
  field('tags', () => [String])
  ObjectType('User')(User)
  class Own {
    me(): object {
      return { id: 'a', email: 'ada@x', bio: null, role: 'ADMIN', tags: [] }
    }
  }
  decorate(
    Own,
    'me',
    Query(() => User, { name: 'me' }),
  )
  Resolver()(Own)
  return serveWithNest(
    { autoSchemaFile: true, transformSchema: (schema) => addChanges(schema, feed, OPTIONS) },
    [Own],
  )
}

function decorate(of: new () => object, method: string, decorator: MethodDecorator): void {
  const descriptor = Object.getOwnPropertyDescriptor(of.prototype, method)
  if (descriptor !== undefined) decorator(of.prototype as object, method, descriptor)
}
