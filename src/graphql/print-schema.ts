/** Stage 7, graphql. The service's schema as text: sorted, stable, made without a database. */

import { lexicographicSortSchema, printSchema } from 'graphql'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { NO_CATALOG } from '../catalog/parse-catalog.ts'
import { RowcastError } from '../errors.ts'
import { createGuard } from '../guard.ts'
import { silentLogger } from '../logger.ts'
import { createActivityLog } from './activity/activity-log.ts'
import { buildActivitySchema } from './activity/activity-schema.ts'
import type { ChangeFeed } from './change-feed.ts'
import { buildServiceSchema } from './service-schema.ts'
import type { ModelExposure } from './service-types.ts'
import { withoutEmptyModels } from './shown-models.ts'

const HEADER = `# Printed by \`npm run schema\` from prisma/schema.prisma. Do not edit.\n\n`

/** What is printed: the catalog, and which of its models are live. */
export interface PrintSchemaOptions {
  readonly catalog: ModelCatalog
  /** @default every model that is not omitted */
  readonly models?: Readonly<Record<string, ModelExposure>> | undefined
}

/** The schema in GraphQL's schema definition language. */
export function printServiceSchema({ catalog, models }: PrintSchemaOptions): string {
  const shown = withoutEmptyModels({ catalog, models: models ?? exposedModels(catalog) })
  const schema = buildServiceSchema({
    ...{ catalog: shown.catalog, models: shown.models },
    ...{ prisma: OFFLINE_PRISMA, feed: offlineFeed(shown.catalog) },
  })
  return `${HEADER}${printSchema(lexicographicSortSchema(schema))}\n`
}

/** The live page's own schema: what its documents are checked against. */
export function printActivitySchema(): string {
  const log = createActivityLog({
    guard: createGuard(silentLogger),
    feed: offlineFeed(NO_CATALOG),
    models: [],
    status() {
      throw offline()
    },
  })
  const options = { catalog: NO_CATALOG, models: {}, prisma: OFFLINE_PRISMA, feed: offlineFeed(NO_CATALOG) }
  const schema = buildActivitySchema(options, { log, authorize: null })
  const header = '# Printed by `npm run schema` from src/graphql/activity. Do not edit.\n\n'
  return `${header}${printSchema(lexicographicSortSchema(schema))}\n`
}

const OFFLINE_PRISMA = { $connect: () => Promise.reject(offline()) }

function offlineFeed(catalog: ModelCatalog): ChangeFeed {
  return {
    catalog,
    isRegistered: () => false,
    subscribeDeliveries() {
      throw offline()
    },
    changeCursor: () => Promise.reject(offline()),
    whenVisible: () => Promise.reject(offline()),
    hasOldImages: () => true,
  }
}

function exposedModels(catalog: ModelCatalog): Record<string, ModelExposure> {
  const names = Object.values(catalog.models).flatMap((model) => (model.isOmitted ? [] : [model.name]))
  return Object.fromEntries(names.map((name) => [name, {}]))
}

function offline(): RowcastError {
  return new RowcastError('BUG', 'A schema that was made for printing was executed.')
}
