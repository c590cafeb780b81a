/** Stage 7, graphql. The schema that is served: the application's own, or the one that is made of the catalog. */
import { type GraphQLSchema, isSchema } from 'graphql'
import { RowcastError } from '../errors.ts'
import type { MakeSchema, SchemaParts } from './schema-parts.ts'
import { buildServiceSchema, checkedSchema } from './service-schema.ts'
import type { ServiceSchemaOptions } from './service-types.ts'
import type { ServedSubgraph } from './subgraph/subgraph-options.ts'
import { asSubgraph } from './subgraph/subgraph-schema.ts'

/** What a config says of it. */
export interface SchemaChoice {
  readonly makeSchema: MakeSchema | null
  readonly subgraph: ServedSubgraph | null
}

/** Makes it; `prisma` is for the application's own. @throws GRAPHQL_BAD_SCHEMA */
export function servedSchema(
  { makeSchema, subgraph }: SchemaChoice,
  options: ServiceSchemaOptions,
  prisma: unknown,
): GraphQLSchema {
  if (makeSchema === null) {
    const schema = buildServiceSchema(options)
    return subgraph === null ? schema : asSubgraph(schema, subgraph)
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
