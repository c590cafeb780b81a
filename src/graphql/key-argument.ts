/** Stage 7, graphql. Key arguments: from the `ID` a client hands back to the value Prisma looks up. */
import type { GraphQLError } from 'graphql'
import type { FieldSpec } from '../catalog/model-catalog.ts'
import { graphqlError } from './graphql-errors.ts'

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const DIGITS = /^-?\d{1,19}$/

/**
 * The value of a key field; other scalars than ID have been parsed already and come back as they are.
 * @throws GRAPHQL_BAD_ARGUMENT when no value of the field can look like this.
 */
export function parseKeyArgument(field: FieldSpec, typeName: string, value: unknown): unknown {
  if (typeName !== 'ID' || typeof value !== 'string') return value
  if (field.type === 'String') {
    // No text of PostgreSQL has this character.
    if (value.includes('\0')) throw badId(field, 'a text without the character U+0000')
    if (field.nativeType !== 'Uuid') return value
    // As rows have it: of many keys it is the text that says whose row it is.
    if (UUID.test(value)) return value.toLowerCase()
    throw badId(field, 'a UUID')
  }
  const bits = field.type === 'Int' ? 32 : 64
  const parsed = DIGITS.test(value) ? BigInt(value) : null
  if (parsed === null || BigInt.asIntN(bits, parsed) !== parsed)
    throw badId(field, `a whole number of ${bits} bits`)
  return field.type === 'Int' ? Number(parsed) : parsed
}

function badId(field: FieldSpec, wanted: string): GraphQLError {
  return graphqlError('GRAPHQL_BAD_ARGUMENT', `${field.name} is not ${wanted}.`, {
    hint: 'Pass the ID as the server gave it.',
  })
}
