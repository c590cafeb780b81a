/**
 * Stage 7, graphql. `builder.changeSubscription('User')`: the field on the Subscription root, from its
 * arguments to the bus. Filters, cursors and policies to come are further arguments of the same field.
 */
import type { InputFieldRef, InterfaceRef, SchemaTypes } from '@pothos/core'
import { getRefFromModel, type PrismaModelTypes, type PrismaObjectRef } from '@pothos/plugin-prisma'
import type { GraphQLResolveInfo } from 'graphql'
import type { Delivery, OverflowPolicy } from '../../bus/bus.ts'
import type { ChangeFilter, ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import type { Account } from '../../bus/holdings.ts'
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import type { ChangeAction } from '../../changes/change.ts'
import { parseCursor } from '../../changes/cursor.ts'
import { RowcastError } from '../../errors.ts'
import { setAudience } from '../audience.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import { type AnyBuilder, stateOf } from '../builder/builder-state.ts'
import { addMissingTypes, sharedChangeTypes } from '../builder/shared-change-types.ts'
import { accountOf } from '../bus-account.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { checkContext } from '../check-context.ts'
import type { ChangeFieldExtension } from '../explain/read-subscription.ts'
import { subscriptionLabel } from '../explain/subscription-label.ts'
import { defineWhyNot } from '../explain/why-not.ts'
import { graphqlError, toGraphqlError, toSubscriptionError } from '../graphql-errors.ts'
import { valuesOf } from '../graphql-version.ts'
import { lastEventIdOf } from '../last-event-id.ts'
import { checkFilterVariables } from '../missing-variable.ts'
import { checkSelectedFields } from '../policy/check-selected-fields.ts'
import { omittedNames } from '../policy/secret-fields.ts'
import { selectedModels } from '../policy/selected-models.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import { modelNames } from '../schema-names.ts'
import { defineFilterInputs, parseFilterArguments } from '../where/filter-arguments.ts'
import { defineChangePayload } from './change-payload.ts'
import { onceLive } from './once-live.ts'
import { PublicSubscription } from './public-subscription.ts'

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
): InterfaceRef<SchemaTypes, Delivery> {
  const feed = feedOf(builder)
  const model = modelOf(feed, modelName)
  const rowType = options.type ?? rowTypeOf(builder, modelName)
  stateOf(builder).subscriptions.set(modelName, rowType)

  const policies = policiesOf(builder)
  const omit = [
    ...omittedNames(model, { omit: options.omit, expose: options.expose }),
    ...(policies.declared(modelName).omit ?? []),
  ]
  const { payload, fieldName } = defineChangePayload(builder, feed.catalog, model, { rowType, omit })
  const filterArguments = defineFilterInputs(builder, feed.catalog, model, { omit, fieldName })
  builder.subscriptionField(options.name ?? modelNames(feed.catalog, modelName).changed, (t) =>
    t.field({
      type: payload,
      nullable: false,
      extensions: { rowcast: { model: modelName, omit } satisfies ChangeFieldExtension },
      description:
        options.description ?? `Every change of a row of ${modelName}, once its transaction has committed.`,
      args: {
        action: t.arg({
          type: [sharedChangeTypes(builder).action],
          required: false,
          description: 'Which actions: one, or a list. All when left out; an empty list is an error.',
        }),
        ...filterArguments(t.arg as never),
        ...overflowArgument(builder, t.arg as never),
        after: t.arg({
          type: 'Cursor' as never,
          required: false,
          description:
            'Go on after this cursor: first what was missed, then live. Where that is not possible the ' +
            'subscription ends with RESYNC_REQUIRED. Left out: what commits from now on.',
        }),
      },
      subscribe: (_root, { action, ...args }, context, info) => {
        checkContext(context)
        const { after, overflow, ...filter } = args as SubscriptionArguments
        const subscribe = () => {
          const deliveries = subscribeToModel(feed, model, {
            actions: action,
            after: lastEventIdOf(context) ?? after,
            overflow,
            parseFilter: () => {
              for (const node of info.fieldNodes) checkFilterVariables(node, valuesOf(info.variableValues))
              return parseFilterArguments(
                feed.catalog,
                model,
                omit,
                filter,
                policies.view(context, modelName),
              )
            },
            label: subscriptionLabel(builder, context, modelName, action, filter),
            account: accountOf(context),
          })
          // The model itself counts even if none of its rows is selected: `changed` and `key` show its fields.
          setAudience(deliveries, audience(builder, context, [...selectedModels(info), modelName]))
          return deliveries
        }
        const hasCursor = (lastEventIdOf(context) ?? after) != null
        const begin = () => (hasCursor ? subscribe() : onceLive(feed, subscribe))
        const isOpen = [...selectedModels(info), modelName].every((each) => !policies.asksViewer(each))
        return isOpen ? begin() : letIn(policies, modelName, context, info).then(begin)
      },
      resolve: (delivery) => delivery as Delivery,
    }),
  )
  return payload
}

/**
 * Asks the policies of all that the subscription can show.
 * @throws FORBIDDEN, FIELD_HIDDEN, POLICY_FAILED
 */
async function letIn(
  policies: ViewerPolicies,
  model: string,
  context: object,
  info: GraphQLResolveInfo,
): Promise<void> {
  await policies.prepare(context, [...selectedModels(info), model])
  if (!(await policies.maySubscribe(context, model))) {
    throw graphqlError('FORBIDDEN', `You may not subscribe to changes of ${model}.`)
  }
  checkSelectedFields(policies, context, info, model)
}

/** Whose results the subscription gives; null where that is not known. */
function audience(builder: AnyBuilder, context: object, models: readonly string[]): string | null {
  const shareBy = builder.options.rowcast.shareBy?.(context) ?? null
  const seen = policiesOf(builder).audience(context, models)
  return shareBy === null || seen === null ? null : `${shareBy}\n${seen}`
}

/** Adds what the declared subscriptions need and the builder lacks: the root, scalars. Runs before the build. */
export function completeChangeTypes(builder: AnyBuilder): void {
  const { subscriptions } = stateOf(builder)
  if (subscriptions.size === 0) return
  for (const [model, rowType] of subscriptions) {
    if (builder.configStore.hasConfig(rowType)) continue
    throw new RowcastError('GRAPHQL_BAD_SCHEMA', `Model ${model} has no object type in this builder.`, {
      hint: `Declare builder.prismaObject('${model}', …), or pass changeSubscription a variant as \`type\`.`,
    })
  }
  const { canExplain } = builder.options.rowcast
  if (canExplain !== undefined) defineWhyNot(builder, canExplain)
  addMissingTypes(builder)
  addChangeCursor(builder)
  const hasRoot = [...builder.configStore.typeConfigs.values()].some(({ kind }) => kind === 'Subscription')
  if (!hasRoot) builder.subscriptionType({ description: 'Live changes of the database.' })
}

/** `Query.changeCursor`, where there is a Query root and it has no such field of its own. */
function addChangeCursor(builder: AnyBuilder): void {
  const { feed } = builder.options.rowcast
  const root = [...builder.configStore.typeConfigs.values()].find(({ kind }) => kind === 'Query')
  if (root === undefined || builder.configStore.getFields('Query' as never).has('changeCursor')) return
  builder.queryField('changeCursor', (t) =>
    t.field({
      type: 'Cursor' as never,
      nullable: false,
      description:
        'The cursor for now. Take it, query, then subscribe after it: no change is missed between the query and ' +
        'the subscription; one that the query has seen may come again.',
      resolve: async () => {
        try {
          return (await feed.changeCursor()) as never
        } catch (error) {
          throw toGraphqlError(error)
        }
      },
    }),
  )
}

/** Arguments beside `action`, as GraphQL has coerced them. */
interface SubscriptionArguments extends ChangeFilterInput {
  readonly after?: string | null | undefined
  readonly overflow?: OverflowPolicy | null | undefined
}

/** What a client asks for; the filter is parsed where its faults are reported. */
interface Wanted {
  readonly actions: readonly ChangeAction[] | null | undefined
  readonly after: string | null | undefined
  readonly overflow: OverflowPolicy | null | undefined
  readonly label: string | undefined
  readonly account: Account | undefined
  readonly parseFilter: () => ChangeFilter | null
}

/** `overflow`, where clients may choose. */
function overflowArgument(
  builder: AnyBuilder,
  define: (options: {
    type: never
    required: false
    description: string
  }) => InputFieldRef<SchemaTypes, unknown>,
): Record<string, InputFieldRef<SchemaTypes, unknown>> {
  const { overflow } = sharedChangeTypes(builder)
  if (overflow === null) return {}
  const description = 'What happens when this subscription leaves too many changes waiting.'
  return { overflow: define({ type: overflow as never, required: false, description }) }
}

function subscribeToModel(
  feed: ChangeFeed,
  { name: model }: ModelSpec,
  { actions, after, overflow, label, account, parseFilter }: Wanted,
): AsyncIterableIterator<Delivery> {
  if (actions?.length === 0) {
    throw graphqlError('GRAPHQL_BAD_ARGUMENT', 'action: [] asks for no change at all.', {
      hint: 'Name at least one action, or leave `action` out for all.',
    })
  }
  if (!feed.isRegistered(model)) {
    throw graphqlError('CATALOG_MODEL_NOT_REGISTERED', `Model ${model} exists, but is not live.`, {
      hint: `Call rowcast.register('${model}') before start().`,
    })
  }
  try {
    if (typeof after === 'string') parseCursor(after)
    return new PublicSubscription(
      feed.subscribeDeliveries({
        model,
        actions: actions ?? undefined,
        filter: parseFilter(),
        after: after ?? undefined,
        ...{ label, account },
        overflow: overflow ?? undefined,
      }),
    )
  } catch (error) {
    throw toSubscriptionError(error)
  }
}

function feedOf(builder: AnyBuilder): ChangeFeed {
  // The types demand both; JavaScript, and a builder of another plugin list, do not.
  const { plugins, rowcast } = builder.options as Partial<typeof builder.options>
  if (plugins?.includes('rowcast') === true && rowcast?.feed !== undefined) return rowcast.feed
  throw new RowcastError(
    'GRAPHQL_BAD_SCHEMA',
    'The builder has changeSubscription, but no rowcast to feed it.',
    {
      hint: 'Add RowcastPlugin to `plugins` and `rowcast: { feed }` to the options of the SchemaBuilder.',
    },
  )
}

function modelOf(feed: ChangeFeed, name: string): ModelSpec {
  const { models } = feed.catalog
  const model = Object.hasOwn(models, name) ? models[name] : undefined
  if (model !== undefined) return model
  throw new RowcastError('CATALOG_UNKNOWN_MODEL', `There is no model "${name}".`, {
    hint: `Use one of ${Object.keys(models).join(', ')}, or run \`prisma generate\` if the model is new.`,
  })
}

function rowTypeOf(builder: AnyBuilder, model: string) {
  return getRefFromModel(model, builder) as PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>
}
