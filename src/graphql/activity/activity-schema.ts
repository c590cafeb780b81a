/**
 * Stage 7, graphql. The live page's own schema, served beside that of the models: whoever introspects, prints or generates code
 * from the models' schema finds the same in development and in production.
 */
import type { GraphQLSchema } from 'graphql'
import { addScalars, createBuilder, serviceModels } from '../service-schema.ts'
import type { ServiceSchemaOptions } from '../service-types.ts'
import { defineActivityFields } from './activity-fields.ts'
import type { ActivityExposure } from './activity-log.ts'

/**
 * Builds it; touches no database. Policies and omitted fields of the models hold in it.
 * @throws CATALOG_UNKNOWN_MODEL, GRAPHQL_BAD_SCHEMA
 */
export function buildActivitySchema(
  options: ServiceSchemaOptions,
  exposure: ActivityExposure,
): GraphQLSchema {
  const builder = createBuilder(options)
  builder.queryType({ description: 'How the stream is doing.' })
  defineActivityFields(builder, serviceModels(options), exposure)
  addScalars(builder)
  return builder.toSchema()
}
