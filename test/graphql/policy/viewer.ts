/** A blog with policies, and viewers who subscribe to it with a context of their own. */
import { type ExecutionResult, execute, type GraphQLError, parse, subscribe, validate } from 'graphql'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import type { ModelExposure } from '../../../src/graphql/service-types.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed, type FakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'

/** The context of the tests' viewers. */
export interface Viewer {
  readonly name: string
}

/** A blog. */
export interface GuardedBlog {
  readonly feed: FakeFeed
  /** Subscribes, or answers with errors. */
  watch(
    source: string,
    viewer?: Viewer,
  ): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult>
  /** Runs a query. */
  query(source: string, viewer?: Viewer): Promise<ExecutionResult>
  /** Subscribes. */
  see(source: string, viewer?: Viewer): Promise<AsyncGenerator<ExecutionResult, void, void>>
}

/** A blog with these policies; User and Post are live. */
export function openBlog(
  models: Readonly<Record<string, ModelExposure>>,
  more: {
    readonly hasOldImages?: boolean
    readonly answers?: Parameters<typeof createRecordingPrisma>[0]
  } = {},
): GuardedBlog {
  const feed = createFakeFeed(blogCatalog, ['User', 'Post'], more.hasOldImages)
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma: createRecordingPrisma(more.answers),
    feed,
    models: { User: {}, Post: {}, ...models },
  })
  const watch: GuardedBlog['watch'] = async (source, viewer = { name: 'ada' }) => {
    const document = parse(source)
    const errors = validate(schema, document)
    // A context object for each operation, as the server makes them.
    return errors.length > 0 ? { errors } : subscribe({ schema, document, contextValue: { ...viewer } })
  }
  return {
    feed,
    watch,
    query: async (source, viewer = { name: 'ada' }) =>
      execute({ schema, document: parse(source), contextValue: { ...viewer } }),
    async see(source, viewer) {
      const result = await watch(source, viewer)
      if (Symbol.asyncIterator in result) return result
      throw new Error(JSON.stringify(result.errors))
    },
  }
}

/** The errors of an answer that is not a stream. */
export function errorsOf(result: AsyncGenerator | ExecutionResult): readonly GraphQLError[] {
  if (Symbol.asyncIterator in result) throw new Error('The subscription was let in.')
  return result.errors ?? []
}

/** The code of the first error of an answer. */
export function codeOf(result: object): unknown {
  const { errors } = JSON.parse(JSON.stringify(result)) as {
    errors?: { message: string; extensions?: { code?: string } }[]
  }
  return errors?.[0]?.extensions?.code ?? errors?.[0]?.message
}
