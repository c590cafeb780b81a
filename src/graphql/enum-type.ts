/** Stage 7, graphql. A Prisma enum as a GraphQL enum, and a set of names as one. */
import type { EnumSpec } from '../catalog/model-catalog.ts'

/** Name and documentation of one value. */
export interface NamedValue {
  readonly name: string
  readonly documentation: string | null
}

/** What is needed of a builder here; builders of every schema have it. */
interface EnumBuilder {
  enumType(name: string, options: { description: string; values: EnumValues }): unknown
}

type EnumValues = Readonly<Record<string, { readonly description?: string }>>

/** Adds the enum under its Prisma name; its values are Prisma's names, as Prisma Client returns them. */
export function defineEnum(builder: EnumBuilder, spec: EnumSpec): void {
  builder.enumType(spec.name, {
    description: spec.documentation ?? `Values of ${spec.name}.`,
    values: enumValues(spec.values),
  })
}

/** Values in the form Pothos takes them. */
export function enumValues(values: readonly NamedValue[]): EnumValues {
  return Object.fromEntries(
    values.map(({ name, documentation }) => [
      name,
      documentation === null ? {} : { description: documentation },
    ]),
  )
}
