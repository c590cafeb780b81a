/** Stage 7, graphql. What rows can be ordered by: the input of `orderBy`, of queries and of live lists alike. */
import { domainOf } from '../../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
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
    description: `One field that rows of ${model.name} are ordered by. PostgreSQL puts nulls last where it ascends, and first where it descends.`,
    fields: inputFields(names, fields, () => SORT_ORDER.name),
  }
}

/** Prisma's enum of the same name. */
export const SORT_ORDER: EnumDefinition = {
  kind: 'enum',
  name: 'SortOrder',
  description: 'Which way rows are ordered.',
  values: {
    ASC: { value: 'asc', description: 'From the least to the greatest.' },
    DESC: { value: 'desc', description: 'From the greatest to the least.' },
  },
}
