/** Stage 7, graphql. What rows can be ordered by: the input of `orderBy`, of queries and of live lists alike. */
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { OrderPart } from '../../sets/seek.ts'
import { visibleFields } from '../field-type.ts'
import type { ModelNames } from '../schema-names.ts'
import type { EnumDefinition, InputDefinition } from '../type-definition.ts'

/** Fields that rows can be ordered by: visible, one value, of a type that is compared. */
export function orderableFields(
  catalog: ModelCatalog,
  model: ModelSpec,
  omit: readonly string[],
): readonly FieldSpec[] {
  return visibleFields(model, omit).filter((field) => !field.isList && domainOf(field, catalog) !== null)
}

/** An input with one field for each of these. */
export function inputFields(
  names: ModelNames,
  fields: readonly FieldSpec[],
  typeOf: (field: FieldSpec) => string,
): InputDefinition['fields'] {
  return Object.fromEntries(
    fields.map((field) => {
      const { name, documentation } = field
      const described = documentation === null ? {} : { description: documentation }
      return [names.fields.get(name) ?? name, { type: typeOf(field), ...described }]
    }),
  )
}

/** The input. */
export function orderInput(
  model: ModelSpec,
  names: ModelNames,
  fields: readonly FieldSpec[],
): InputDefinition {
  return {
    kind: 'input',
    name: names.orderBy,
    description: `One field that rows of ${model.name} are ordered by.`,
    fields: inputFields(names, fields, () => SORT_ORDER.name),
  }
}

type Sort = Pick<OrderPart, 'direction' | 'nulls'>

/** By what they are within: a schema of one's own may have them under other names. */
const SORTS = {
  asc: { direction: 'asc' },
  desc: { direction: 'desc' },
  'asc nulls first': { direction: 'asc', nulls: 'first' },
  'asc nulls last': { direction: 'asc', nulls: 'last' },
  'desc nulls first': { direction: 'desc', nulls: 'first' },
  'desc nulls last': { direction: 'desc', nulls: 'last' },
} as const satisfies Readonly<Record<string, Sort>>

/** Which way a field is ordered by, of a value of the enum. */
export function sortOf(value: unknown): Sort {
  return SORTS[value as keyof typeof SORTS] ?? SORTS.asc
}

const sortValue = (value: keyof typeof SORTS, description: string) => ({ value, description })

/** Prisma's enum of the same name, and beside it what Prisma's `{ sort, nulls }` says: GraphQL has no input that is an enum or an object. */
export const SORT_ORDER: EnumDefinition = {
  kind: 'enum',
  name: 'SortOrder',
  description: 'Which way rows are ordered.',
  values: {
    ASC: sortValue('asc', 'From the least to the greatest, nulls last.'),
    DESC: sortValue('desc', 'From the greatest to the least, nulls first.'),
    ASC_NULLS_FIRST: sortValue('asc nulls first', 'Nulls, then from the least to the greatest.'),
    ASC_NULLS_LAST: sortValue('asc nulls last', 'From the least to the greatest, then nulls.'),
    DESC_NULLS_FIRST: sortValue('desc nulls first', 'Nulls, then from the greatest to the least.'),
    DESC_NULLS_LAST: sortValue('desc nulls last', 'From the greatest to the least, then nulls.'),
  },
}
