/**
 * Stage 7, graphql. Where policies meet the executor, around everything else that wraps a resolver: at the roots the
 * policies of all models that the operation can show are asked, and under every field that gives rows of a model is
 * the net of `guardRows`.
 */
import {
  defaultFieldResolver,
  type GraphQLAbstractType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isObjectType,
} from 'graphql'
import type { ForeignKey } from '../../catalog/foreign-key.ts'
import { memberOf } from '../../member-of.ts'
import { relationKeyOf } from '../policy/check-selected-fields.ts'
import { guardEach, guardRows, type RowVisibility } from '../policy/guard-rows.ts'
import { modelOfType, selectedModels } from '../policy/selected-models.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import { GUARDED_FIELD } from '../subscription/change-types.ts'
import { guardCounts } from './guard-counts.ts'

type Field = GraphQLField<unknown, object>
type Resolver = NonNullable<Field['resolve']>

/**
 * Puts the policies around the resolvers of a schema that was just built.
 * @param visibleRows answers for rules that ask other rows; without it, rows that only they decide about are not shown
 */
export function guardSchema(
  schema: GraphQLSchema,
  policies: ViewerPolicies,
  visibleRows: RowVisibility | null = null,
): void {
  const net: Net = {
    policies,
    guard(value, model, context) {
      const view = policies.view(context, model)
      const { rows } = view
      return rows?.asksRows === true && visibleRows !== null
        ? guardRows(value, model, view, (row) => visibleRows.isVisible(row, { model, rows, context }))
        : guardRows(value, model, view)
    },
  }
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    const isRoot = roots.includes(type)
    const model = modelOfType(type)
    for (const field of Object.values(type.getFields())) {
      const named = getNamedType(field.type)
      if (field.extensions[GUARDED_FIELD] !== true && givesRows(schema, named)) addNet(field, named, net)
      const key = model === null ? null : relationKeyOf(policies, model, field)
      if (key !== null) addKeyCheck(field, key, policies)
      if (model !== null) guardCounts(field, model, policies)
      if (isRoot) addPreparation(field, policies)
    }
  }
}

function givesRows(schema: GraphQLSchema, type: GraphQLNamedType): boolean {
  if (modelOfType(type) !== null) return true
  return isAbstractType(type) && schema.getPossibleTypes(type).some((each) => modelOfType(each) !== null)
}

/** Leaves out what a viewer may not see. */
interface Net {
  readonly policies: ViewerPolicies
  readonly guard: (value: unknown, model: string, context: object) => unknown
}

function addNet(field: Field, type: GraphQLNamedType, net: Net): void {
  const { policies } = net
  const resolve = field.resolve ?? defaultFieldResolver
  const model = modelOfType(type)
  const guard: Guard =
    model !== null
      ? (value, context) => (policies.asksViewer(model) ? net.guard(value, model, context) : value)
      : isAbstractType(type)
        ? (value, context, info) => guardAbstract(value, type, net, { context, info })
        : (value) => value
  field.resolve = (parent, args, context, info) => guard(resolve(parent, args, context, info), context, info)
}

type Guard = (value: unknown, context: object, info: GraphQLResolveInfo) => unknown

/** Rows whose model only their own type shows. What does not show its type is left to GraphQL, which refuses it. */
function guardAbstract(
  value: unknown,
  type: GraphQLAbstractType,
  { policies, guard }: Net,
  { context, info }: { readonly context: object; readonly info: GraphQLResolveInfo },
): unknown {
  const possible = info.schema.getPossibleTypes(type)
  const isAsked = possible.some((each) => policies.asksViewer(modelOfType(each) ?? ''))
  if (!isAsked) return value
  return guardEach(value, async (row) => {
    const name = await (type.resolveType ?? typenameOf)(row, context, info, type)
    const concrete = possible.find((each) => each.name === name)
    if (concrete === undefined) return null
    const model = modelOfType(concrete)
    return model === null ? row : guard(row, model, context)
  })
}

function typenameOf(row: unknown): unknown {
  return memberOf(row, '__typename')
}

/** Rows that belong together say what the key between them is. */
function addKeyCheck(field: Field, key: ForeignKey, policies: ViewerPolicies): void {
  const resolve = field.resolve ?? defaultFieldResolver
  field.resolve = (parent, args, context, info) => {
    const resolveVisible = () => {
      policies.checkVisible(context, key)
      return resolve(parent, args, context, info)
    }
    if (!policies.asksViewer(key.model)) return resolve(parent, args, context, info)
    return policies.arePrepared(context, [key.model])
      ? resolveVisible()
      : policies.prepare(context, [key.model]).then(resolveVisible)
  }
}

function addPreparation(field: Field, policies: ViewerPolicies): void {
  field.resolve = prepared(field.resolve ?? defaultFieldResolver, policies)
}

function prepared(resolve: Resolver, policies: ViewerPolicies): Resolver {
  return (parent, args, context, info) => {
    const models = [...selectedModels(info)].filter((model) => policies.asksViewer(model))
    if (models.length === 0 || policies.arePrepared(context, models)) {
      return resolve(parent, args, context, info)
    }
    return policies.prepare(context, models).then(() => resolve(parent, args, context, info))
  }
}
