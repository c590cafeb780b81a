/** Stage 7, graphql. The schema that is served: the application's own, or the one that is made of the catalog. */
import { type GraphQLSchema, isSchema } from 'graphql'
import { RowcastError } from '../errors.ts'
import { checkedSchema } from './checked-schema.ts'
import type { MakeSchema, SchemaParts } from './schema-parts.ts'
import type { ServiceSchemaOptions } from './service-types.ts'
import type { ServedSubgraph } from './subgraph/subgraph-options.ts'

/** What a config says of it. */
export interface SchemaChoice {
  readonly makeSchema: MakeSchema | null
  readonly subgraph: ServedSubgraph | null
}

/**
 * Makes it; `prisma` is for the application's own. What needs Pothos is loaded for a schema that is made of the catalog alone: who has a schema need not
 * have Pothos.
 * @throws GRAPHQL_BAD_SCHEMA
 */
export async function servedSchema(
  { makeSchema, subgraph }: SchemaChoice,
  options: ServiceSchemaOptions,
  prisma: unknown,
): Promise<GraphQLSchema> {
  if (makeSchema === null) {
    const { buildServiceSchema } = await import('./service-schema.ts')
    const schema = buildServiceSchema(options)
    if (subgraph === null) return schema
    const { asSubgraph } = await import('./subgraph/subgraph-schema.ts')
    return asSubgraph(schema, subgraph)
  }
  const { feed, models } = options
  return buildOwnSchema(makeSchema, { feed, prisma, policies: new Map(Object.entries(models)) })
}

const HINT = 'Return what `builder.toSchema()`, `addChanges()` or `makeExecutableSchema()` gives.'

/** Calls it. */
function buildOwnSchema(make: MakeSchema, parts: SchemaParts): GraphQLSchema {
  const schema: unknown = make(parts)
  if (isOwnSchema(schema)) return checkedSchema(schema, HINT)
  throw new RowcastError('GRAPHQL_BAD_SCHEMA', '`schema` of the config returned no GraphQLSchema.', {
    hint: `${HINT} A promise is none; and there may be one copy of the package graphql alone.`,
  })
}

/** Of another copy of graphql it throws. */
function isOwnSchema(value: unknown): value is GraphQLSchema {
  try {
    return isSchema(value)
  } catch {
    return false
  }
}
