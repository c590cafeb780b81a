/** Stage 7, graphql. Binds the loading of images to a builder: its catalog and its Prisma Client. */
import type { SchemaTypes } from '@pothos/core'
import { prismaClientCache } from '@pothos/plugin-prisma'
import { invariant } from '../../errors.ts'
import type { PrismaClientLike } from '../prisma-delegate.ts'
import { policiesOf } from './builder-policies.ts'
import type { LoadImage } from './image-loader.ts'
import { loadRelations } from './image-relations.ts'
import { isImage, transactionOf } from './image-rows.ts'
import { RelationBatches } from './relation-batches.ts'

/** Completes images with the builder's Prisma Client, which may depend on the request. */
export function createImageReader(builder: PothosSchemaTypes.SchemaBuilder<SchemaTypes>): LoadImage {
  const batches = new RelationBatches()
  return async (modelName, image, selection, context) => {
    const { feed } = builder.options.rowcast
    const { catalog } = feed
    const model = catalog.models[modelName]
    invariant(model !== undefined && isImage(image), `Model ${modelName} is not in the catalog.`)
    // A change can arrive before its own transaction is visible to the query below.
    const transaction = transactionOf(image)
    if (transaction !== null) await feed.whenVisible(transaction.xid)
    const policies = policiesOf(builder)
    const visible = async (name: string) => {
      await policies.prepare(context, [name])
      return policies.view(context, name).rows?.where ?? null
    }
    return loadRelations(
      { catalog, client: clientOf(builder, context), visible, batches },
      model,
      image,
      selection,
    )
  }
}

function clientOf(builder: PothosSchemaTypes.SchemaBuilder<SchemaTypes>, context: object): PrismaClientLike {
  const { client } = builder.options.prisma
  return typeof client === 'function' ? prismaClientCache(builder)(context) : client
}
