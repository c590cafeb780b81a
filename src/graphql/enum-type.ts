/** Stage 7, graphql. A Prisma enum as a GraphQL enum, and a set of names as one. */
import type { EnumSpec, ModelCatalog } from '../catalog/model-catalog.ts'
import { schemaNames } from './schema-names.ts'
import type { EnumDefinition, EnumValues } from './type-definition.ts'

/** Name and documentation of one value. */
export interface NamedValue {
  readonly name: string
  readonly documentation: string | null
}

/** The enum; behind each value's name in GraphQL is the one that Prisma Client has for it. */
export function enumDefinition(
  catalog: Pick<ModelCatalog, 'models' | 'enums'>,
  spec: EnumSpec,
): EnumDefinition {
  const names = schemaNames(catalog).enums.get(spec.name)
  return {
    kind: 'enum',
    name: names?.type ?? spec.name,
    description: spec.documentation ?? `Values of ${spec.name}.`,
    values: enumValues(spec.values, names?.values),
  }
}

/** Values of a definition. @param names what they are called in GraphQL, where that differs */
export function enumValues(
  values: readonly NamedValue[],
  names?: ReadonlyMap<string, string> | undefined,
): EnumValues {
  return Object.fromEntries(
    values.map(({ name, documentation }) => [
      names?.get(name) ?? name,
      { value: name, ...(documentation === null ? {} : { description: documentation }) },
    ]),
  )
}
