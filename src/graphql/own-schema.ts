/** Stage 7, graphql. A schema of the application's own, which the service serves in the place of the one it would make. */
import { type GraphQLSchema, isSchema } from 'graphql'
import { RowcastError } from '../errors.ts'
import type { MakeSchema, SchemaParts } from './schema-parts.ts'
import { checkedSchema } from './service-schema.ts'

const HINT = 'Return what `builder.toSchema()`, `addChanges()` or `makeExecutableSchema()` gives.'

/** Calls it. @throws GRAPHQL_BAD_SCHEMA when what it returns is no valid schema */
export function buildOwnSchema(make: MakeSchema, parts: SchemaParts): GraphQLSchema {
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
