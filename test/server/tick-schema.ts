/** A schema without a database: queries and subscriptions that do on command what the server must cope with. */
import {
  GraphQLError,
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql'
import { RowcastError } from '../../src/errors.ts'
import { createDeferred } from '../support/deferred.ts'

/** A source of numbers that the test pushes; it knows how often it was pulled and whether it was returned. */
export interface TickSource extends AsyncIterableIterator<number> {
  push(...values: number[]): void
  fail(error: Error): void
  /** Resolves when the server asks for the first value. */
  readonly subscribed: Promise<void>
  /** Resolves when the server calls `return()`. */
  readonly returned: Promise<void>
  /** Values handed out. */
  readonly pulled: number
}

/** Creates a source; `readyCount` values are there without being pushed. */
export function createTickSource(readyCount = 0): TickSource {
  const values: number[] = []
  const subscribed = createDeferred<void>()
  const returned = createDeferred<void>()
  let failure: Error | null = null
  let isReturned = false
  let pulled = 0
  let wake: (() => void) | null = null
  const source: TickSource = {
    async next() {
      subscribed.resolve()
      while (!isReturned) {
        const value = pulled < readyCount ? pulled : values.shift()
        if (value !== undefined) {
          pulled += 1
          return { done: false, value }
        }
        if (failure !== null) throw failure
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return { done: true, value: undefined }
    },
    async return() {
      isReturned = true
      returned.resolve()
      wake?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => source,
    push(...added) {
      values.push(...added)
      wake?.()
    },
    fail(error) {
      failure = error
      wake?.()
    },
    subscribed: subscribed.promise,
    returned: returned.promise,
    get pulled() {
      return pulled
    },
  }
  return source
}

const FAILURES = {
  private: () => new Error('password=hunter2 of row 42'),
  hidden: () => new RowcastError('BUG', 'Something internal.'),
  public: () => new RowcastError('CONTEXT_TIMEOUT', 'The example failed in public.'),
  stopping: () => new RowcastError('SERVER_STOPPING', 'The server is stopping.'),
  graphql: () => new GraphQLError('Said on purpose.', { extensions: { code: 'ON_PURPOSE' } }),
} as const

/** Ways to fail that the schema knows. */
export type FailureKind = keyof typeof FAILURES

/** Makes the error of a kind. */
export const failureOf = (kind: FailureKind): Error => FAILURES[kind]()

/** Builds the schema around one source. */
export function buildTickSchema(source: TickSource): GraphQLSchema {
  const kind = { type: new GraphQLNonNull(GraphQLString) }
  const fail = (_root: unknown, args: { kind: FailureKind }): never => {
    throw failureOf(args.kind)
  }
  return new GraphQLSchema({
    query: new GraphQLObjectType({
      name: 'Query',
      fields: {
        hello: { type: GraphQLString, resolve: () => 'world' },
        fails: { type: GraphQLString, args: { kind }, resolve: fail },
        viewer: {
          type: GraphQLString,
          resolve: (_root, _args, context: { viewer?: string }) => context.viewer,
        },
      },
    }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        ticks: { type: GraphQLInt, subscribe: () => source, resolve: (value: number) => value },
        /** Each value as a text of that many bytes. */
        blobs: {
          type: GraphQLString,
          args: { bytes: { type: new GraphQLNonNull(GraphQLInt) } },
          subscribe: () => source,
          resolve: (_value: number, args: { bytes: number }) => 'x'.repeat(args.bytes),
        },
        failsToStart: { type: GraphQLInt, args: { kind }, subscribe: fail },
        failsToResolve: { type: GraphQLInt, args: { kind }, subscribe: () => source, resolve: fail },
      },
    }),
  })
}
