/** Stage 7, graphql. `builder.changeSubscription('User')`: rowcast's types and fields in a Pothos builder. */
import type { InterfaceRef, SchemaTypes } from '@pothos/core'
import type { PrismaModelTypes, PrismaObjectRef } from '@pothos/plugin-prisma'
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import { metadataViewOf, policiesOf } from '../builder/builder-policies.ts'
import { stateOf } from '../builder/builder-state.ts'
import { addMissingTypes, defineRootField, defineTypes, fieldsOf, refOf } from '../builder/define-types.ts'
import {
  type AnyBuilder,
  addInterfaceFields,
  hasRootField,
  interfaceRefOf,
  rowRefOf,
} from '../builder/untyped-builder.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { EXPLANATION_TYPES, whyNotField } from '../explain/why-not.ts'
import { modelOfType } from '../policy/selected-models.ts'
import { alwaysSelected, type Selection } from '../pothos-internals.ts'
import { changeCursorField, changeField, modelNamed } from '../subscription/change-field.ts'
import { changeTypes } from '../subscription/change-types.ts'
import { includedFields, includedTypes } from '../subscription/included-types.ts'
import { liveFields } from '../subscription/live-fields.ts'
import { sharedTypes } from '../subscription/shared-types.ts'
import {
  type CompleteImage,
  type SubscriptionScope,
  subscribedModel,
} from '../subscription/subscription-scope.ts'
import { transactionTypes } from '../subscription/transaction-types.ts'
import { changesFieldName, transactionsField } from '../subscription/transactions-field.ts'
import { whereTypes } from '../where/where-inputs.ts'
import { createImageReader } from './image-reader.ts'
import { relationsOf } from './image-relations.ts'
import { addRelayFields } from './pothos-relay-fields.ts'

/** Options of one `changeSubscription`. */
export interface ChangeSubscriptionOptions<Types extends SchemaTypes, Model> {
  /** Name of the field. @default `userChanged` for the model User */
  readonly name?: string | undefined
  /** Description of the field. */
  readonly description?: string | undefined
  /** Fields that clients must not learn of: they are absent from `key`, `changed` and `unavailable`. */
  readonly omit?: readonly FieldName<Model>[] | undefined
  /** Fields that look like secrets and are none; without it they are left out as if named in `omit`. */
  readonly expose?: readonly FieldName<Model>[] | undefined
  /** Object type of `old` and `new`, where the model has several. @default the model's own prismaObject */
  readonly type?: PrismaObjectRef<Types, Model & PrismaModelTypes, object> | undefined
}

type FieldName<Model> = Model extends { Shape: infer Shape } ? keyof Shape & string : string

/** Options with the types forgotten, as the code below handles them. */
type AnyOptions = ChangeSubscriptionOptions<SchemaTypes, PrismaModelTypes>

/** What `builder.changeSubscription` does; see there. */
export function defineChangeSubscription(
  builder: AnyBuilder,
  modelName: string,
  options: AnyOptions = {},
): InterfaceRef<SchemaTypes, ChangeEvent> {
  const feed = feedOf(builder)
  const model = modelNamed(feed.catalog, modelName)
  const rowType = options.type ?? rowRefOf(builder, modelName)
  const { subscriptions, declared, filtered, refs } = stateOf(builder)
  subscriptions.set(modelName, rowType)

  const { omit, expose, description } = options
  const subscribed = subscribedModel(scopeOf(builder), model, { omit, expose })
  const { names } = subscribed
  // Of several fields of one model, the first has made its types.
  if (!declared.has(modelName)) declared.set(modelName, subscribed)
  refs.set(names.type, rowType)
  if (!filtered.has(modelName)) filtered.set(modelName, subscribed.omit)
  defineTypes(builder, [
    ...sharedTypes(subscribed.scope),
    // A copy of the row's type takes its place once the schema is built.
    ...changeTypes(subscribed, { oldType: names.type }),
  ])
  const name = options.name ?? names.changed
  // Which relations can be included is known once all subscriptions have been declared.
  defineRootField(builder, 'Subscription', name, () => changeField(subscribed, description))
  return interfaceRefOf<ChangeEvent>(refOf(builder, names.change))
}

/** What the core needs to know of a builder. */
function scopeOf(builder: AnyBuilder): SubscriptionScope {
  const { feed, changes, mayChooseOverflow, canExplain, shareBy } = builder.options.rowcast
  return {
    feed,
    policies: policiesOf(builder),
    metadata: metadataViewOf(builder),
    subscribed: stateOf(builder).declared,
    hasTransactions: changesFieldName(changes) !== null,
    mayChooseOverflow: mayChooseOverflow === true,
    canBeExplained: canExplain !== undefined,
    shareBy: (context) => shareBy?.(context) ?? null,
    modelOf: modelOfType,
    completeImage: createImageCompleter(builder),
  }
}

/**
 * Where the object type says what else its rows always carry (`include` or `select` of prismaObject), the image gets
 * that too: the type's resolvers count on it.
 */
function createImageCompleter(builder: AnyBuilder): CompleteImage {
  const load = createImageReader(builder)
  const { models } = builder.options.rowcast.feed.catalog
  return (image, type, context) => {
    const model: ModelSpec | undefined = models[modelOfType(type) ?? '']
    const always = alwaysSelected(type.extensions) as Selection | undefined
    if (model === undefined || always === undefined || relationsOf(model, always).size === 0) return image
    return load(model.name, image, always, context)
  }
}

/** Adds what the declared subscriptions need and the builder lacks: the root, scalars. Runs before the build. */
export function completeChangeTypes(builder: AnyBuilder): void {
  const { subscriptions } = stateOf(builder)
  defineFilters(builder)
  if (subscriptions.size === 0) return
  for (const [model, rowType] of subscriptions) {
    if (builder.configStore.hasConfig(rowType)) continue
    throw new RowcastError('GRAPHQL_BAD_SCHEMA', `Model ${model} has no object type in this builder.`, {
      hint: `Declare builder.prismaObject('${model}', …), or pass changeSubscription a variant as \`type\`.`,
    })
  }
  for (const [model, subscribed] of stateOf(builder).declared) {
    const rowType = subscriptions.get(model)
    if (rowType !== undefined) addRelayFields(builder, subscribed, rowType)
    defineTypes(builder, includedTypes(subscribed))
    const change = Object(refOf(builder, subscribed.names.change))
    addInterfaceFields(builder, change, (t) => fieldsOf(builder, includedFields(subscribed), t))
  }
  addWhyNot(builder)
  addChanges(builder)
  addLiveFields(builder)
  addChangeCursor(builder)
  addMissingTypes(builder)
  if (!hasRoot(builder, 'Subscription'))
    builder.subscriptionType({ description: 'Live changes of the database.' })
}

function hasRoot(builder: AnyBuilder, root: 'Query' | 'Subscription'): boolean {
  return [...builder.configStore.typeConfigs.values()].some(({ kind }) => kind === root)
}

/** `changes`, where it is asked for. Pothos refuses a field of the application's by the same name. */
function addChanges(builder: AnyBuilder): void {
  const name = changesFieldName(builder.options.rowcast.changes)
  if (name === null) return
  const scope = scopeOf(builder)
  const models = [...stateOf(builder).declared.values()]
  defineTypes(builder, transactionTypes(models, scope.metadata))
  const field = transactionsField(scope, models)
  defineRootField(builder, 'Subscription', name, field)
}

/** `whyNot`, where somebody may ask. */
function addWhyNot(builder: AnyBuilder): void {
  const { canExplain } = builder.options.rowcast
  if (canExplain === undefined) return
  const field = whyNotField(scopeOf(builder), canExplain)
  defineTypes(builder, EXPLANATION_TYPES)
  stateOf(builder).needed.add('JSON')
  defineRootField(builder, 'Query', 'whyNot', field)
}

/** `<model>List` and `<model>Totals` of each model, where they are asked for. */
function addLiveFields(builder: AnyBuilder): void {
  const models = [...stateOf(builder).declared.values()]
  for (const { name, field, types } of models.flatMap((each) => liveFields(each, builder.options.rowcast))) {
    defineTypes(builder, types)
    defineRootField(builder, 'Subscription', name, field)
  }
}

/** What lists and subscriptions are filtered by: it leads from one of their models to the next, whichever was declared first. */
function defineFilters(builder: AnyBuilder): void {
  const { catalog } = builder.options.rowcast.feed
  const { filtered } = stateOf(builder)
  const related = new Set(filtered.keys())
  const types = [...filtered].flatMap(([name, omit]) =>
    whereTypes(catalog, modelNamed(catalog, name), { omit, related }),
  )
  defineTypes(builder, types)
}

/** `Query.changeCursor`, where there is a Query root and it has no such field of its own. */
function addChangeCursor(builder: AnyBuilder): void {
  const name = 'changeCursor'
  if (!hasRoot(builder, 'Query') || hasRootField(builder, 'Query', name)) return
  const field = changeCursorField(builder.options.rowcast.feed)
  defineRootField(builder, 'Query', name, field)
}

function feedOf(builder: AnyBuilder): ChangeFeed {
  // The types demand both; JavaScript, and a builder of another plugin list, do not.
  const { plugins, rowcast }: Partial<typeof builder.options> = builder.options
  if (plugins?.includes('rowcast') === true && rowcast?.feed !== undefined) return rowcast.feed
  throw new RowcastError(
    'GRAPHQL_BAD_SCHEMA',
    'The builder has changeSubscription, but no rowcast to feed it.',
    {
      hint: 'Add RowcastPlugin to `plugins` and `rowcast: { feed }` to the options of the SchemaBuilder.',
    },
  )
}
