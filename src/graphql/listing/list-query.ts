/** Stage 7, graphql. From the arguments of a list to the query that Prisma Client is asked. */
import type { GraphQLError } from 'graphql'
import { badFilter } from '../../bus/filter/bad-filter.ts'
import { checkFilterCost } from '../../bus/filter/change-filter.ts'
import { constantOf, costOf } from '../../bus/filter/condition.ts'
import { parseWhere } from '../../bus/filter/parse-where.ts'
import type { FieldSpec, ModelCatalog } from '../../catalog/model-catalog.ts'
import { noRowOf } from '../../sets/no-row.ts'
import {
  isSeekable,
  type OrderPart,
  type PrismaOrder,
  prismaOrderOf,
  rowKeyOf,
  rowsBehind,
} from '../../sets/seek.ts'
import { graphqlTypeName } from '../field-type.ts'
import { graphqlError, toGraphqlError } from '../graphql-errors.ts'
import { parseKeyArgument } from '../key-argument.ts'
import { type PageArguments, pageSize } from '../pagination.ts'
import { fieldHidden } from '../policy/field-hidden.ts'
import type { ModelView, RelatedViews } from '../policy/viewer-policies.ts'
import { isOfValue } from '../reading/statement-gate.ts'
import type { ServiceModel } from '../service-types.ts'
import { relationReading, withRelatedRules } from '../where/related-rules.ts'
import { hiddenNames } from '../where/where-inputs.ts'
import { withPrismaNames } from '../where/where-names.ts'
import { sortOf } from './order-input.ts'
import { toPrismaWhere } from './prisma-where.ts'

/** Arguments of a list on the root, as GraphQL has coerced them. */
export interface ListArguments extends PageArguments {
  readonly where?: unknown
  readonly orderBy?: readonly Values[] | null | undefined
  readonly after?: Values | null | undefined
}

type Values = Readonly<Record<string, unknown>>

/** The list that is asked for, and by whom. */
export interface ListRequest {
  readonly catalog: ModelCatalog
  readonly model: Pick<ServiceModel, 'spec' | 'names' | 'omit'>
  readonly view: Pick<ModelView, 'rows' | 'hidden'>
  /** What the viewer may see of the models that `where` leads to. @default it leads to none */
  readonly related?: RelatedViews | undefined
}

/** The page as Prisma Client takes it. */
export interface ListQuery {
  readonly where?: object
  readonly orderBy: readonly PrismaOrder[]
  readonly take: number
  readonly skip: number
}

/**
 * What the viewer asks for, of what the viewer may see.
 * @throws BAD_FILTER, FILTER_TOO_COSTLY, FIELD_HIDDEN; GRAPHQL_BAD_ARGUMENT where a page cannot be meant
 */
export function listQueryOf(request: ListRequest, args: ListArguments): ListQuery {
  const { take, skip } = pageSize(args)
  const order = orderOf(request, args.orderBy ?? [])
  const conditions = [
    whereOf(request, args.where),
    args.after == null ? undefined : rowsBehind(order, valuesOf(request, order, args.after)),
    request.view.rows?.where,
  ].filter((condition) => condition !== undefined)
  const [only] = conditions
  return {
    ...(only === undefined ? {} : { where: conditions.length === 1 ? only : { AND: conditions } }),
    ...{ orderBy: prismaOrderOf(order), take, skip },
  }
}

/**
 * A filter of rows as Prisma Client takes it; undefined where there is none.
 * @throws BAD_FILTER, FILTER_TOO_COSTLY
 */
export function whereOf({ catalog, model, view, related }: ListRequest, where: unknown): object | undefined {
  if (where === null || where === undefined) return undefined
  const { spec, omit } = model
  const hiddenFields = new Set([...hiddenNames(spec, omit), ...view.hidden])
  const { where: named } = withPrismaNames(catalog, spec, { where })
  const relations = related === undefined ? undefined : relationReading(related)
  const condition = parseWhere(spec, catalog, named, { hiddenFields, emptyObjects: 'refuse', relations })
  checkFilterCost(costOf(condition))
  if (constantOf(condition) === false) return noRowOf(spec.fields)
  const asked = toPrismaWhere(catalog, spec, named)
  return related === undefined ? asked : withRelatedRules(catalog, spec, asked, related)
}

/**
 * The order that is asked for, and then that of the key, so that no two rows are equal by it.
 * @throws FIELD_HIDDEN, GRAPHQL_BAD_ARGUMENT
 */
export function orderOf(
  { model, view }: Pick<ListRequest, 'model' | 'view'>,
  orderBy: readonly Values[],
): readonly OrderPart[] {
  const { spec, names } = model
  const asked = orderBy.map((part, index): OrderPart => {
    const [entry, ...more] = Object.entries(part)
    if (entry === undefined || more.length > 0 || entry[1] === null) {
      throw badArgument(
        `orderBy[${index}] does not name one field.`,
        'Write `orderBy: [{ a: ASC }, { b: DESC }]`.',
      )
    }
    const field = spec.fields.find(({ name }) => (names.fields.get(name) ?? name) === entry[0])
    if (field === undefined || view.hidden.has(field.name)) throw fieldHidden(spec.name, entry[0])
    return { field, ...sortOf(entry[1]) }
  })
  const key = rowKeyOf(spec).map((field): OrderPart => ({ field, direction: 'asc' }))
  // Rows that are equal by a field are so once more; and each part of an order is compared together with all parts before it.
  const byField = new Map<FieldSpec, OrderPart>()
  for (const part of [...asked, ...key]) if (!byField.has(part.field)) byField.set(part.field, part)
  return [...byField.values()]
}

/** What `after` gives for each part of the order. */
function valuesOf({ catalog, model, view }: ListRequest, order: readonly OrderPart[], after: Values): Values {
  const nameOf = ({ name }: FieldSpec) => model.names.fields.get(name) ?? name
  for (const name of Object.keys(after)) {
    if (order.some(({ field }) => nameOf(field) === name)) continue
    throw badArgument(
      `after.${name} is no part of the order.`,
      `Give ${order.map(({ field }) => nameOf(field)).join(', ')}.`,
    )
  }
  return Object.fromEntries(
    order.map(({ field }) => {
      const name = nameOf(field)
      if (view.hidden.has(field.name)) throw fieldHidden(model.spec.name, name)
      if (!isSeekable(field))
        throw badArgument(
          `Pages in the order of ${name} cannot begin after a row.`,
          'Ask for them with `skip`.',
        )
      const value = after[name]
      if (value === undefined || (value === null && field.isRequired))
        throw badArgument(`after.${name} is missing.`, 'Give what the last row of the page before has there.')
      const type = graphqlTypeName(catalog, model.spec, field)
      return [field.name, value === null ? null : parseKeyArgument(field, type, value)]
    }),
  )
}

function badArgument(happened: string, hint: string): GraphQLError {
  return graphqlError('GRAPHQL_BAD_ARGUMENT', happened, { hint })
}

/**
 * What a client hears of an error of such a query. A value that has the type of its field may still be none of its column's: text
 * with U+0000, a pattern that ends in a backslash.
 */
export function toListError(error: unknown): unknown {
  if (!isOfValue(error)) return toGraphqlError(error)
  return toGraphqlError(
    badFilter('where', 'PostgreSQL does not take one of its values or patterns.', 'Correct it.'),
  )
}
