/** Stage 7, graphql. The types around one model's live totals: `PostTotals`, and one each for sums, least and greatest values. */
import type { FieldSpec } from '../../catalog/model-catalog.ts'
import type { KeptTotalsEvent } from '../../sets/kept-request.ts'
import { hasExtremes, isSummed } from '../../sets/total-fields.ts'
import { graphqlTypeName } from '../field-type.ts'
import { orderableFields } from '../listing/order-input.ts'
import { namesWithoutIdentity } from '../names.ts'
import { SHOWN_COLUMN } from '../shown-column.ts'
import type { FieldDefinitions, ObjectDefinition, TypeDefinition } from '../type-definition.ts'
import { valueResolver } from '../value-resolver.ts'
import { POSITION_FIELDS } from './kept-rows.ts'
import type { SubscribedModel } from './subscription-scope.ts'
import { transactionType } from './transaction-types.ts'

/** What there is of a field. */
export type TotalPart = 'sum' | 'min' | 'max'

export const TOTAL_PARTS: readonly TotalPart[] = ['sum', 'min', 'max']

const MEANING: Readonly<Record<TotalPart, string>> = {
  sum: 'Sums; null where no row has a value.',
  min: 'Least values, in the order of the database; null where no row has one.',
  max: 'Greatest values, in the order of the database; null where no row has one.',
}

/** `PostTotals`, first, and what is under it. */
export function totalsTypes(subscribed: SubscribedModel): readonly TypeDefinition[] {
  const { scope, model, names } = subscribed
  const typeNames = { sum: names.totalsSum, min: names.totalsMin, max: names.totalsMax }
  const parts = TOTAL_PARTS.filter((part) => totalFields(subscribed, part).length > 0)
  const partField = (part: TotalPart): FieldDefinitions[string] => ({
    type: `${typeNames[part]}!`,
    description: MEANING[part],
    resolve: ({ shown }: KeptTotalsEvent) => shown[part],
  })
  const totals: ObjectDefinition = {
    kind: 'object',
    name: names.totals,
    description: `How many rows of ${model.name} there are, and what they come to.`,
    fields: {
      count: {
        type: 'Int!',
        description: 'How many rows there are.',
        resolve: ({ shown }: KeptTotalsEvent) => shown.count,
      },
      ...Object.fromEntries(parts.map((part) => [part, partField(part)])),
      ...POSITION_FIELDS,
    },
  }
  const partType = (part: TotalPart): ObjectDefinition => ({
    kind: 'object',
    name: typeNames[part],
    description: `${model.name}: ${MEANING[part]}`,
    fields: valueFields(subscribed, part),
  })
  return [totals, ...parts.map(partType), transactionType(scope.metadata)]
}

/** A field of the model that has one, by the name that it has there. */
export interface TotalField {
  readonly name: string
  readonly field: FieldSpec
  readonly typeName: string
}

/** All of them. An identifier has no sum that means anything; and nothing here is what clients' caches take for an entity. */
export function totalFields(
  { scope: { feed }, model, omit, names }: SubscribedModel,
  part: TotalPart,
): readonly TotalField[] {
  const { catalog } = feed
  const fields = orderableFields(catalog, model, omit)
  const nameOf = ({ name }: FieldSpec) => names.fields.get(name) ?? name
  const shown = namesWithoutIdentity(fields.map(nameOf))
  return fields.flatMap((field) => {
    const name = shown.get(nameOf(field)) ?? nameOf(field)
    const typeName = graphqlTypeName(catalog, model, field)
    const has = part === 'sum' ? isSummed(field) && typeName !== 'ID' : hasExtremes(field)
    return has ? [{ name, field, typeName }] : []
  })
}

function valueFields(subscribed: SubscribedModel, part: TotalPart): FieldDefinitions {
  return Object.fromEntries(
    totalFields(subscribed, part).map(({ name, field, typeName }) => {
      // The sum of many numbers of 32 bits has more than GraphQL's Int takes.
      const type = part === 'sum' && typeName === 'Int' ? 'Float' : typeName
      const described = field.documentation === null ? {} : { description: field.documentation }
      const resolve = valueResolver(subscribed.model, field, typeName)
      return [name, { type, ...described, extensions: { [SHOWN_COLUMN]: field.name }, resolve }]
    }),
  )
}
