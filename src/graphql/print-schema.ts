/** Stage 7, graphql. The service's schema as text: sorted, stable, made without a database. */
import { lexicographicSortSchema, printSchema } from 'graphql'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { RowcastError } from '../errors.ts'
import { buildServiceSchema } from './service-schema.ts'
import type { ModelExposure } from './service-types.ts'

const HEADER = `# Printed by \`npm run schema\` from prisma/schema.prisma. Do not edit.\n\n`

/** What is printed: the catalog, and which of its models are live. */
export interface PrintSchemaOptions {
  readonly catalog: ModelCatalog
  /** @default every model that is not omitted */
  readonly models?: Readonly<Record<string, ModelExposure>> | undefined
}

/** The schema in GraphQL's schema definition language. */
export function printServiceSchema({ catalog, models }: PrintSchemaOptions): string {
  const schema = buildServiceSchema({
    catalog,
    models: models ?? exposedModels(catalog),
    prisma: { $connect: () => Promise.reject(offline()) },
    feed: {
      catalog,
      isRegistered: () => false,
      subscribeDeliveries() {
        throw offline()
      },
      changeCursor: () => Promise.reject(offline()),
      whenVisible: () => Promise.reject(offline()),
      hasOldImages: () => true,
    },
  })
  return `${HEADER}${printSchema(lexicographicSortSchema(schema))}\n`
}

function exposedModels(catalog: ModelCatalog): Record<string, ModelExposure> {
  const names = Object.values(catalog.models).flatMap((model) => (model.isOmitted ? [] : [model.name]))
  return Object.fromEntries(names.map((name) => [name, {}]))
}

function offline(): RowcastError {
  return new RowcastError('BUG', 'A schema that was made for printing was executed.')
}
