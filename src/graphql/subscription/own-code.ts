/**
 * Stage 7, graphql. Whether resolvers of the application see the rows of a type. Subscriptions share the rows of a change;
 * a resolver that masks or adds in place would do so for everybody, so where one may be, each operation decodes its own.
 */
import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLScalarType,
  getNamedType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
} from 'graphql'
import { exposedByPothos, hasOwnFallback } from '../pothos-internals.ts'
import { SCALARS } from '../scalars.ts'
import { relationNameOf, SHOWN_COLUMN, SHOWN_RELATION } from '../shown-column.ts'

const known = new WeakMap<GraphQLNamedType, boolean>()

/** True when a field of the type is more than a column that is shown, or a relation. */
export function runsOwnCode(type: GraphQLNamedType): boolean {
  const before = known.get(type)
  if (before !== undefined) return before
  const answer = isObjectType(type) && Object.values(type.getFields()).some((field) => !showsColumn(field))
  known.set(type, answer)
  return answer
}

/** The extension of a copied field whose original runs code of the application. */
export const RUNS_OWN_CODE = 'rowcastRunsOwnCode'

const OWN_SERIALIZERS = new Set(Object.values(SCALARS).map(({ serialize }) => serialize))

/** Whether what writes values of the scalar only looks at them: graphql-js' own, and rowcast's. The application's may do as it likes. */
function onlyLooks(scalar: GraphQLScalarType): boolean {
  return isSpecifiedScalarType(scalar) || OWN_SERIALIZERS.has(scalar.serialize)
}

/** Whether a field is a column that is shown, or a relation, and no more. */
export function showsColumn(field: GraphQLField<unknown, object>): boolean {
  const { extensions } = field
  if (extensions[RUNS_OWN_CODE] === true) return false
  if (extensions[SHOWN_RELATION] !== undefined && field.resolve !== undefined) return false
  // Where nothing resolves it, graphql-js reads the property.
  const isColumn =
    extensions[SHOWN_COLUMN] !== undefined ||
    exposedByPothos(extensions) !== undefined ||
    field.resolve === undefined
  const named = getNamedType(field.type)
  if (isColumn && isScalarType(named) && !onlyLooks(named)) return false
  return isColumn || (relationNameOf(field) !== null && !hasOwnFallback(extensions))
}
