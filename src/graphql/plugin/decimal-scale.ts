/**
 * Stage 7, graphql. Columns that a user's own object type exposes as rowcast's `Decimal` keep their scale, as those of the
 * service's types do: the same row is the same text, whichever field it came by.
 */
import { defaultFieldResolver, type GraphQLSchema, getNamedType, isObjectType, isScalarType } from 'graphql'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { modelOfType } from '../policy/selected-models.ts'
import { exposedByPothos } from '../pothos-internals.ts'
import { DecimalScalar } from '../scalars.ts'
import { columnOf } from '../shown-column.ts'
import { scaleOf, withScale } from '../value-resolver.ts'

/** Wraps the resolvers of such fields in a schema that was just built. */
export function keepScales(schema: GraphQLSchema, catalog: ModelCatalog): void {
  for (const type of Object.values(schema.getTypeMap())) {
    const model: ModelSpec | undefined = catalog.models[modelOfType(type) ?? '']
    if (!isObjectType(type) || model === undefined) continue
    for (const field of Object.values(type.getFields())) {
      const named = getNamedType(field.type)
      if (exposedByPothos(field.extensions) === undefined) continue
      if (!isScalarType(named) || named.serialize !== DecimalScalar.serialize) continue
      const column = model.fields.find(({ name }) => name === columnOf(field))
      const scale = column === undefined ? null : scaleOf(column)
      if (scale === null) continue
      const resolve = field.resolve ?? defaultFieldResolver
      field.resolve = (...args) => {
        const value: unknown = resolve(...args)
        return value instanceof Promise
          ? value.then((settled: unknown) => withScale(settled, scale))
          : withScale(value, scale)
      }
    }
  }
}
