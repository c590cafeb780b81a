/** Stage 7, graphql. Binds the loading of images to a builder: its catalog and its Prisma Client. */
import { prismaClientCache } from '@pothos/plugin-prisma'
import { GraphQLError } from 'graphql'
import { invariant } from '../../errors.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import { stateOf } from '../builder/builder-state.ts'
import type { AnyBuilder } from '../builder/untyped-builder.ts'
import { graphqlError } from '../graphql-errors.ts'
import type { PrismaClientLike } from '../prisma-delegate.ts'
import { imageTurns } from '../reading/asking-turns.ts'
import type { BoundedReader, ReadBounds } from '../reading/bounded-reader.ts'
import { createReadBounds, type ReadLimits, readerOf } from '../reading/paged-client.ts'
import { budgetOfImage } from '../reading/result-budgets.ts'
import { isImage, sentRow, transactionOf } from '../subscription/image-rows.ts'
import type { LoadImage } from './image-loader.ts'
import { loadRelations } from './image-relations.ts'

/** Completes images with the builder's Prisma Client, which may depend on the request. */
export function createImageReader(
  builder: AnyBuilder,
  turns: Pick<typeof imageTurns, 'wait'> = imageTurns,
): LoadImage {
  return async (modelName, image, selection, context) => {
    const { feed } = builder.options.rowcast
    const { catalog } = feed
    const model = catalog.models[modelName]
    invariant(model !== undefined && isImage(image), `Model ${modelName} is not in the catalog.`)
    // A change can arrive before its own transaction is visible to the query below.
    const transaction = transactionOf(image)
    if (transaction !== null) await feed.whenVisible(transaction.xid, modelName)
    // As many others as there are images of that transaction go on at the same moment.
    await turns.wait()
    const policies = policiesOf(builder)
    const visible = async (name: string) => {
      await policies.prepare(context, [name])
      return policies.view(context, name).rows?.where ?? null
    }
    const reader = builderReader(builder, context)
    const reads = reader.pool.open(budgetOfImage(context, sentRow(image)))
    try {
      return await reads.within(loadRelations({ catalog, reader, reads, visible }, model, image, selection))
    } catch (error) {
      throw isTooSlow(error) ? relationTooSlow(error) : error
    } finally {
      reads.end()
    }
  }
}

/** The reader of a builder's Prisma Client, which may depend on the request. */
export function builderReader(builder: AnyBuilder, context: object): BoundedReader {
  return readerOf(clientOf(builder, context), boundsOf(builder))
}

/** Limits for what the builder's schema reads; what the builder itself says comes first. */
export function limitBuilderReads(builder: AnyBuilder, limits: ReadLimits): void {
  const state = stateOf(builder)
  state.readLimits = limits
  state.readBounds = null
}

/** One for each builder. */
function boundsOf(builder: AnyBuilder): ReadBounds {
  const { feed, reads } = builder.options.rowcast
  const state = stateOf(builder)
  state.readBounds ??= createReadBounds(feed.catalog, { ...state.readLimits, ...reads })
  return state.readBounds
}

function clientOf(builder: AnyBuilder, context: object): PrismaClientLike {
  const { client } = builder.options.prisma
  return typeof client === 'function' ? prismaClientCache(builder)(context) : client
}

function isTooSlow(error: unknown): error is GraphQLError {
  return error instanceof GraphQLError && error.extensions['code'] === 'QUERY_TOO_SLOW'
}

/** The change itself has arrived: whoever reads this queries the relation again. */
function relationTooSlow({ message }: GraphQLError): GraphQLError {
  return graphqlError('RELATION_TOO_SLOW', message)
}
