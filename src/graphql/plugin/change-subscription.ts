/**
 * Stage 7, graphql. `builder.changeSubscription('User')`: the field on the Subscription root, from its
 * arguments to the bus. Filters, cursors and policies to come are further arguments of the same field.
 */
import type { InputFieldRef, InterfaceRef, SchemaTypes } from '@pothos/core'
import { getRefFromModel, type PrismaModelTypes, type PrismaObjectRef } from '@pothos/plugin-prisma'
import type { GraphQLResolveInfo } from 'graphql'
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import type { ChangeEvent } from '../../sets/row-subscription.ts'
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
import { graphqlError, toGraphqlError } from '../graphql-errors.ts'
import { valuesOf } from '../graphql-version.ts'
import { lastEventIdOf } from '../last-event-id.ts'
import { checkFilterVariables } from '../missing-variable.ts'
import { checkSelectedFields } from '../policy/check-selected-fields.ts'
import { omittedNames } from '../policy/secret-fields.ts'
import { selectedModels } from '../policy/selected-models.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import { modelNames } from '../schema-names.ts'
import { defineFilterInputs } from '../where/filter-arguments.ts'
import { defineChangePayload } from './change-payload.ts'
import { onceLive } from './once-live.ts'
import { checkActions, openSubscription, type SubscriptionArguments } from './open-subscription.ts'

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
        ...initialArguments(t.arg as never),
        after: t.arg({
          type: 'Cursor' as never,
          required: false,
          description:
            'Go on after this cursor: first what was missed, then live. Where that is not possible the ' +
            'subscription ends with RESYNC_REQUIRED. Left out: what commits from now on.',
        }),
      },
      subscribe: (_root, { action: actions, ...args }, context, info) => {
        checkContext(context)
        const { after, overflow, initial, pageSize, ...filter } = args as SubscriptionArguments
        const cursor = lastEventIdOf(context) ?? after
        const subscribe = () => {
          const action = checkActions(actions)
          const deliveries = openSubscription(
            { feed, model, omit },
            {
              ...{ actions: action, after: cursor, overflow, filter, pageSize },
              hasRows: initial === true && cursor == null,
              view: policies.view(context, modelName),
              checkFilter() {
                for (const node of info.fieldNodes) checkFilterVariables(node, valuesOf(info.variableValues))
              },
              label: subscriptionLabel(builder, context, modelName, { ...filter, actions: action }),
              account: accountOf(context),
            },
          )
          // The model itself counts even if none of its rows is selected: `changed` and `key` show its fields.
          setAudience(deliveries, audience(builder, context, [...selectedModels(info), modelName]))
          return deliveries
        }
        const begin = () => (cursor != null ? subscribe() : onceLive(feed, subscribe))
        const isOpen = [...selectedModels(info), modelName].every((each) => !policies.asksViewer(each))
        return isOpen ? begin() : letIn(policies, modelName, context, info).then(begin)
      },
      resolve: (event) => event as ChangeEvent,
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

type DefineArgument = (options: {
  type: never
  required: false
  description: string
}) => InputFieldRef<SchemaTypes, unknown>

type Arguments = Record<string, InputFieldRef<SchemaTypes, unknown>>

/** `initial` and `pageSize`. */
function initialArguments(define: DefineArgument): Arguments {
  return {
    initial: define({
      type: 'Boolean' as never,
      required: false,
      description:
        'Whether the rows there are come first, as READ, then READY, then what changes; with `after` it says nothing. Beside ' +
        'it, rows are asked for with `where` alone.',
    }),
    pageSize: define({
      type: 'Int' as never,
      required: false,
      description: 'With `initial`: rows that are read at once at the most, 1 to 10,000. 500 when left out.',
    }),
  }
}

/** `overflow`, where clients may choose. */
function overflowArgument(builder: AnyBuilder, define: DefineArgument): Arguments {
  const { overflow } = sharedChangeTypes(builder)
  if (overflow === null) return {}
  const description = 'What happens when this subscription leaves too many changes waiting.'
  return { overflow: define({ type: overflow as never, required: false, description }) }
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
