/** Stage 7, graphql. What is said to the SDL kit, and what it makes of it: definitions of everything it adds to a schema. */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import type { ChangeExposure } from '../change-exposure.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { graphqlTypeName } from '../field-type.ts'
import { namesWithoutIdentity } from '../names.ts'
import { nullability } from '../nullability.ts'
import { MetadataView } from '../policy/metadata-view.ts'
import { ViewerPolicies } from '../policy/viewer-policies.ts'
import { SHOWN_COLUMN } from '../shown-column.ts'
import { changeCursorField, changeField, modelNamed } from '../subscription/change-field.ts'
import { changeTypes } from '../subscription/change-types.ts'
import { includedFields, includedTypes } from '../subscription/included-types.ts'
import { liveFields } from '../subscription/live-fields.ts'
import { sharedTypes } from '../subscription/shared-types.ts'
import {
  type SubscribedModel,
  type SubscriptionScope,
  subscribedModel,
} from '../subscription/subscription-scope.ts'
import { transactionTypes } from '../subscription/transaction-types.ts'
import { changesFieldName, transactionsField } from '../subscription/transactions-field.ts'
import {
  columnType,
  type FieldDefinition,
  type FieldDefinitions,
  type ObjectDefinition,
  type TypeDefinition,
} from '../type-definition.ts'
import { valueResolver } from '../value-resolver.ts'
import { whereTypes } from '../where/where-inputs.ts'

/** How the changes of one model are shown. */
export interface ChangeModelOptions {
  /**
   * Name of your object type for its rows: `new` is one. Fields without a resolver read the property of their name, which
   * is the field's name in Prisma. @default a type of rowcast's own with the columns that may be seen
   */
  readonly type?: string | undefined
  /** Name of the field on the Subscription root. @default `userChanged` for the model User */
  readonly name?: string | undefined
  /** Its description. */
  readonly description?: string | undefined
  /** Fields that clients must not learn of: absent from `key`, `old`, `changed`, `unavailable` and from filters. */
  readonly omit?: readonly string[] | undefined
  /** Fields that look like secrets and are none; without it they are left out as if named in `omit`. */
  readonly expose?: readonly string[] | undefined
}

/** Options of the kit; give the same ones to all of its functions. */
export interface ChangeSchemaOptions extends ChangeExposure {
  /** The models that get a subscription, by their names in Prisma; `{}` for one with nothing to say. */
  readonly models: Readonly<Record<string, ChangeModelOptions>>
}

/** What the kit adds. */
export interface ChangeSchemaParts {
  readonly types: readonly TypeDefinition[]
  readonly subscriptions: FieldDefinitions
  readonly queries: FieldDefinitions
  /** Models by the names of the types that show their rows. */
  readonly models: ReadonlyMap<string, string>
  readonly policies: ViewerPolicies
}

/** What of a feed the types depend on. */
export type DescribedFeed = Pick<ChangeFeed, 'catalog' | 'policies'>

/**
 * Makes them.
 * @param theirs whether `old` has the type of rows, of which a copy is made, where that is not rowcast's own
 * @throws CATALOG_UNKNOWN_MODEL
 * @throws GRAPHQL_BAD_SCHEMA when two models have a type or a field in common
 */
export function changeSchemaParts(
  feed: ChangeFeed,
  options: ChangeSchemaOptions,
  theirs: 'copied' | 'columns',
): ChangeSchemaParts {
  const { catalog } = feed
  const rowModels = new Map<string, string>()
  const fieldModels = new Map<string, string>()
  const declared = new Map<string, SubscribedModel>()
  const scope = scopeOf(feed, options, { modelOf: (type) => rowModels.get(type.name) ?? null, declared })
  const related = new Set(Object.keys(options.models))
  const types: TypeDefinition[] = [...sharedTypes(scope)]
  const subscriptions: [string, FieldDefinition][] = []
  for (const [name, { type, omit, expose }] of Object.entries(options.models))
    declared.set(name, subscribedModel(scope, modelNamed(catalog, name), { rowType: type, omit, expose }))
  for (const [modelName, subscribed] of declared) {
    const { type, name, description } = options.models[modelName] ?? {}
    const { model, names, rowType } = subscribed
    checkIsFree(rowModels.get(rowType), modelName, `the type ${rowType}`)
    rowModels.set(rowType, modelName).set(names.old, modelName)
    const isCopied = type !== undefined && theirs === 'copied'
    types.push(
      ...changeTypes(subscribed, {
        oldType: isCopied ? rowType : names.old,
        fields: includedFields(subscribed),
      }),
      ...includedTypes(subscribed),
      ...whereTypes(catalog, model, { omit: subscribed.omit, related }),
      ...(type === undefined ? [rowTypeOf(subscribed)] : []),
      ...(isCopied ? [] : [oldRowType(subscribed)]),
    )
    const fieldName = name ?? names.changed
    checkIsFree(fieldModels.get(fieldName), modelName, `the field ${fieldName}`)
    fieldModels.set(fieldName, modelName)
    subscriptions.push([fieldName, changeField(subscribed, description)])
    for (const live of liveFields(subscribed, options)) {
      checkIsFree(fieldModels.get(live.name), modelName, `the field ${live.name}`)
      fieldModels.set(live.name, modelName)
      subscriptions.push([live.name, live.field])
      types.push(...live.types)
    }
  }
  const overAll = changesFieldName(options.changes)
  const models = [...declared.values()]
  if (overAll !== null && models.length > 0) {
    checkIsFree(fieldModels.get(overAll), 'changes', `the field ${overAll}`)
    types.push(...transactionTypes(models, scope.metadata))
    subscriptions.push([overAll, transactionsField(scope, models)])
  }
  return {
    // What several of them speak of is one type.
    types: [...new Map(types.map((each) => [each.name, each] as const).reverse()).values()].reverse(),
    subscriptions: Object.fromEntries(subscriptions),
    queries: { changeCursor: changeCursorField(feed) },
    models: rowModels,
    policies: scope.policies,
  }
}

/** A type of rows is of one model: by it is known whose policies hold. */
function checkIsFree(other: string | undefined, model: string, what: string): void {
  if (other === undefined) return
  throw new RowcastError('GRAPHQL_BAD_SCHEMA', `${other} and ${model} have ${what} in common.`, {
    hint: 'Give each model a type and a field of its own.',
  })
}

function scopeOf(
  feed: ChangeFeed,
  { policies = new Map(), showMetadata, changes, mayChooseOverflow = false, shareBy }: ChangeSchemaOptions,
  { modelOf, declared }: Pick<SubscriptionScope, 'modelOf'> & { declared: SubscriptionScope['subscribed'] },
): SubscriptionScope {
  const asked = new ViewerPolicies(feed.catalog, policies, feed.policies ?? new Map())
  return {
    feed,
    policies: asked,
    metadata: showMetadata === undefined ? null : new MetadataView(showMetadata, asked.calls),
    subscribed: declared,
    hasTransactions: changesFieldName(changes) !== null,
    mayChooseOverflow,
    canBeExplained: false,
    shareBy: (context) => shareBy?.(context) ?? null,
    modelOf,
  }
}

/** rowcast's own type of rows: their columns. */
function rowTypeOf({ scope, model, rowType, fields, names }: SubscribedModel): ObjectDefinition {
  const nameOf = (name: string) => names.fields.get(name) ?? name
  return {
    kind: 'object',
    name: rowType,
    description: model.documentation ?? `One ${model.name}.`,
    fields: columnFields(scope.feed.catalog, model, fields, nameOf),
  }
}

/** The type of `old`: the same columns, and nothing that clients' caches take for an identity. */
function oldRowType({ scope, model, fields, names }: SubscribedModel): ObjectDefinition {
  const nameOf = (name: string) => names.fields.get(name) ?? name
  const shown = namesWithoutIdentity(fields.map(({ name }) => nameOf(name)))
  return {
    kind: 'object',
    name: names.old,
    description:
      `A row of ${model.name} as it was before a change: its columns. It is no entity: \`id\` is called \`rowId\` here, so ` +
      'that clients’ caches do not take it for the row as it is.',
    fields: columnFields(scope.feed.catalog, model, fields, (name) => shown.get(nameOf(name)) ?? name),
  }
}

function columnFields(
  catalog: ModelCatalog,
  model: ModelSpec,
  fields: SubscribedModel['fields'],
  nameOf: (name: string) => string,
): FieldDefinitions {
  return Object.fromEntries(
    fields.map((field) => {
      const typeName = graphqlTypeName(catalog, model, field)
      const definition: FieldDefinition = {
        type: columnType(typeName, field.isList, nullability(catalog, field, typeName)),
        ...(field.documentation === null ? {} : { description: field.documentation }),
        extensions: { [SHOWN_COLUMN]: field.name },
        resolve: valueResolver(model, field, typeName),
      }
      return [nameOf(field.name), definition]
    }),
  )
}
