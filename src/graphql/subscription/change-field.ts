/** Stage 7, graphql. `<model>Changed` on the Subscription root, and `changeCursor` on Query: from their arguments to the feed. */
import type { GraphQLResolveInfo } from 'graphql'
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import type { Rights } from '../../sets/rights.ts'
import { setAudience } from '../audience.ts'
import { accountOf } from '../bus-account.ts'
import type { ChangeFeed } from '../change-feed.ts'
import { checkContext } from '../check-context.ts'
import type { EventAction } from '../event-action.ts'
import type { ChangeFieldExtension } from '../explain/read-subscription.ts'
import { subscriptionLabel } from '../explain/subscription-label.ts'
import { graphqlError, toGraphqlError } from '../graphql-errors.ts'
import { valuesOf } from '../graphql-version.ts'
import { lastEventIdOf } from '../last-event-id.ts'
import { checkFilterVariables } from '../missing-variable.ts'
import { checkSelectedChanges, checkSelectedFields } from '../policy/check-selected-fields.ts'
import { dependenciesOf } from '../policy/policy-dependencies.ts'
import { selectedModels } from '../policy/selected-models.ts'
import type { ArgumentDefinition, FieldDefinition } from '../type-definition.ts'
import { filterArguments, parseFilterArguments } from '../where/filter-arguments.ts'
import { relatedModels } from '../where/related-rules.ts'
import { withPrismaNames } from '../where/where-names.ts'
import {
  checkIncluded,
  includeArgument,
  includedFor,
  includedModels,
  viaTypeModels,
} from './included-types.ts'
import { onceLive } from './once-live.ts'
import {
  ACTION_ARGUMENT,
  AFTER_ARGUMENT,
  checkActions,
  openSubscription,
  type SubscriptionArguments,
} from './open-subscription.ts'
import { audienceOfModels, type SubscribedModel } from './subscription-scope.ts'

/** The field of one model. */
export function changeField(subscribed: SubscribedModel, description?: string | undefined): FieldDefinition {
  const { scope, model, names, omit } = subscribed
  return {
    type: `${names.change}!`,
    description: description ?? `Every change of a row of ${model.name}, once its transaction has committed.`,
    extensions: { rowcast: { model: model.name, omit } satisfies ChangeFieldExtension },
    args: {
      action: ACTION_ARGUMENT,
      ...filterArguments(names),
      ...(scope.mayChooseOverflow ? OVERFLOW_ARGUMENT : {}),
      ...includeArgument(subscribed),
      ...INITIAL_ARGUMENTS,
      after: AFTER_ARGUMENT,
    },
    subscribe: (_root, args: ChangeArguments, context, info) => subscribe(subscribed, args, context, info),
    resolve: (event: unknown) => event,
  }
}

const OVERFLOW_ARGUMENT: Readonly<Record<string, ArgumentDefinition>> = {
  overflow: {
    type: 'OverflowPolicy',
    description: 'What happens when this subscription leaves too many changes waiting.',
  },
}

const INITIAL_ARGUMENTS: Readonly<Record<string, ArgumentDefinition>> = {
  initial: {
    type: 'Boolean',
    description:
      'Whether the rows there are come first, as READ, then READY, then what changes; with `after` it says nothing. Beside ' +
      'it, rows are asked for with `where` alone.',
  },
  pageSize: {
    type: 'Int',
    description: 'With `initial`: rows that are read at once at the most, 1 to 10,000. 500 when left out.',
  },
}

interface ChangeArguments extends SubscriptionArguments {
  readonly action?: readonly EventAction[] | null | undefined
  /** By their names in Prisma. */
  readonly include?: readonly string[] | null | undefined
}

/** At once where nobody has to be asked: nothing that commits meanwhile is missed. */
function subscribe(
  subscribed: SubscribedModel,
  { action: actions, after, overflow, initial, pageSize, include, ...filter }: ChangeArguments,
  context: object,
  info: GraphQLResolveInfo,
) {
  checkContext(context)
  const { scope, model } = subscribed
  const { policies } = scope
  const related = [...filteredModels(subscribed, filter), ...includedModels(subscribed, include)]
  const asked = { subscribed, filter, include, related: [...new Set(related)] }
  const cursor = lastEventIdOf(context) ?? after
  const open = (rights?: Rights) => {
    const action = checkActions(actions)
    const deliveries = openSubscription(subscribed, {
      ...{ actions: action, after: cursor, overflow, filter, pageSize, rights },
      include: () => (include == null ? undefined : includedFor(subscribed, include, context)),
      hasRows: initial === true && cursor == null,
      view: policies.view(context, model.name),
      related: policies.relatedViews(context),
      checkFilter() {
        for (const node of info.fieldNodes) checkFilterVariables(node, valuesOf(info.variableValues))
      },
      label: scope.canBeExplained
        ? subscriptionLabel(policies, context, [model.name, ...asked.related], { ...filter, actions: action })
        : undefined,
      account: accountOf(context),
    })
    const shown = shownModels(asked, info)
    setAudience(deliveries, rights === undefined ? audienceOfModels(scope, shown, context) : null)
    return deliveries
  }
  const begin = (rights?: Rights) =>
    cursor != null ? open(rights) : onceLive(scope.feed, model.name, () => open(rights))
  const isOpen =
    scope.metadata === null && shownModels(asked, info).every((each) => !policies.asksViewer(each))
  if (isOpen) return begin()
  return letIn(asked, context, info).then(async () => begin(await rightsOf(asked, context, info)))
}

/** What a subscription is to, and what it asks for. */
interface AskedSubscription {
  readonly subscribed: SubscribedModel
  readonly filter: ChangeFilterInput
  readonly include: readonly string[] | null | undefined
  /** Models whose rows its filter asks about, and those of included relations. */
  readonly related: readonly string[]
}

/** Models whose rows the filter asks about, beside the model's own. */
function filteredModels({ scope, model }: SubscribedModel, filter: ChangeFilterInput): readonly string[] {
  const { catalog } = scope.feed
  return [...relatedModels(catalog, model, withPrismaNames(catalog, model, filter))]
}

/** The model itself counts even if none of its rows is selected: `changed` and `key` show its fields. */
function shownModels({ subscribed, related }: AskedSubscription, info: GraphQLResolveInfo) {
  const { scope, model } = subscribed
  return [...selectedModels(info, scope.modelOf), model.name, ...related]
}

/**
 * Asks the policies of all that the subscription can show.
 * @throws FORBIDDEN, FIELD_HIDDEN, POLICY_FAILED
 */
async function letIn(asked: AskedSubscription, context: object, info: GraphQLResolveInfo): Promise<void> {
  const { scope, model } = asked.subscribed
  const { policies, metadata } = scope
  await policies.prepare(context, shownModels(asked, info))
  await metadata?.prepare(context)
  // Rows that come and go show how those change that they are related to.
  for (const name of [model.name, ...asked.related]) {
    if (await policies.maySubscribe(context, name)) continue
    throw graphqlError('FORBIDDEN', `You may not subscribe to changes of ${name}.`)
  }
  checkSelectedFields(policies, context, info, model.name)
  if (asked.include == null) return
  checkIncluded(asked.subscribed, asked.include, context)
  checkSelectedChanges(policies, context, info, viaTypeModels(asked.subscribed, asked.include))
}

/** Where what the viewer may see depends on rows: those, and what is to be asked when they change. @throws POLICY_FAILED */
async function rightsOf(
  asked: AskedSubscription,
  context: object,
  info: GraphQLResolveInfo,
): Promise<Rights | undefined> {
  const { subscribed, filter } = asked
  const { scope, model, omit } = subscribed
  const { feed, policies } = scope
  const shown = shownModels(asked, info)
  const dependencies = await dependenciesOf(feed.catalog, policies, shown, context)
  if (dependencies.length === 0) return undefined
  return {
    dependencies,
    async ask() {
      await policies.renew(context, shown)
      await letIn(asked, context, info)
      const related = policies.relatedViews(context)
      return parseFilterArguments(
        feed.catalog,
        { model, omit, related },
        filter,
        policies.view(context, model.name),
      )
    },
  }
}

const SOURCE_ARGUMENT: Readonly<Record<string, ArgumentDefinition>> = {
  source: { type: 'ChangeSource!', description: 'The database that the models are in.' },
}

/** `Query.changeCursor`, of one database where there are several. */
export function changeCursorField(feed: ChangeFeed): FieldDefinition {
  return {
    type: 'Cursor!',
    description:
      'The cursor for now. Take it, query, then subscribe after it: no change is missed between the query and ' +
      'the subscription; one that the query has seen may come again.',
    ...(feed.sources === undefined ? {} : { args: SOURCE_ARGUMENT }),
    async resolve(_root: unknown, { source }: { readonly source?: string }) {
      try {
        return await feed.changeCursor(source)
      } catch (error) {
        throw toGraphqlError(error)
      }
    },
  }
}

/** @throws CATALOG_UNKNOWN_MODEL */
export function modelNamed({ models }: Pick<ModelCatalog, 'models'>, name: string): ModelSpec {
  const model = Object.hasOwn(models, name) ? models[name] : undefined
  if (model !== undefined) return model
  throw new RowcastError('CATALOG_UNKNOWN_MODEL', `There is no model "${name}".`, {
    hint: `Use one of ${Object.keys(models).join(', ')}, or run \`prisma generate\` if the model is new.`,
  })
}
