/** Stage 7, graphql. A Prisma enum as a GraphQL enum, and a set of names as one. */
import type { EnumSpec, ModelCatalog } from '../catalog/model-catalog.ts'
import { schemaNames } from './schema-names.ts'

/** Name and documentation of one value. */
export interface NamedValue {
  readonly name: string
  readonly documentation: string | null
}

/** What is needed of a builder here; builders of every schema have it. */
interface EnumBuilder {
  enumType(name: string, options: { description: string; values: EnumValues }): unknown
}

type EnumValues = Readonly<Record<string, { readonly value: string; readonly description?: string }>>

/** Adds the enum; behind each value's name in GraphQL is the one that Prisma Client has for it. */
export function defineEnum(
  builder: EnumBuilder,
  catalog: Pick<ModelCatalog, 'models' | 'enums'>,
  spec: EnumSpec,
): void {
  const names = schemaNames(catalog).enums.get(spec.name)
  builder.enumType(names?.type ?? spec.name, {
    description: spec.documentation ?? `Values of ${spec.name}.`,
    values: enumValues(spec.values, names?.values),
  })
}

/** Values in the form Pothos takes them. @param names what they are called in GraphQL, where that differs */
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
