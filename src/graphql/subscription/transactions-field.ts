/** Stage 7, graphql. `changes` on the Subscription root: whole transactions over several models. */
import { type FieldNode, type GraphQLResolveInfo, Kind, type ObjectFieldNode } from 'graphql'
import type { SubscriptionRequest } from '../../bus/bus.ts'
import { badFilter } from '../../bus/filter/bad-filter.ts'
import { asksRelatedRows, type ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import { mergeDeliveries } from '../../bus/merge-deliveries.ts'
import type { PartBounds } from '../../bus/merged-subscription.ts'
import { parseCursor } from '../../changes/cursor.ts'
import { setAudience } from '../audience.ts'
import { accountOf } from '../bus-account.ts'
import { checkContext } from '../check-context.ts'
import type { EventAction } from '../event-action.ts'
import { graphqlError, toSubscriptionError } from '../graphql-errors.ts'
import { valuesOf } from '../graphql-version.ts'
import { lastEventIdOf } from '../last-event-id.ts'
import { checkVariables } from '../missing-variable.ts'
import { checkSelectedChanges } from '../policy/check-selected-fields.ts'
import { refuseDependent } from '../policy/policy-dependencies.ts'
import { selectedModels } from '../policy/selected-models.ts'
import type { FieldDefinition } from '../type-definition.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { onceLive } from './once-live.ts'
import { AFTER_ARGUMENT, checkActions, checkIsLive } from './open-subscription.ts'
import { audienceOfModels, type SubscribedModel, type SubscriptionScope } from './subscription-scope.ts'
import { TransactionSubscription } from './transaction-subscription.ts'

/** A part is one result. As text it can be several times as long as its rows are, and a result that is too long takes all of the part with it. */
const PART_BOUNDS: PartBounds = { bytesMax: 262_144 }

/** Its name, by the option `changes` of a schema; null where there is none. */
export function changesFieldName(option: boolean | { readonly name: string } | undefined): string | null {
  if (typeof option === 'object') return option.name
  return option === true ? 'changes' : null
}

/** What is asked for of one model. */
interface Selection extends ChangeFilterInput {
  readonly action?: readonly EventAction[] | null | undefined
}

interface ChangesArguments {
  /** By the names of the models' single rows. */
  readonly of: Readonly<Record<string, Selection | null | undefined>>
  readonly after?: string | null | undefined
}

/** One model that is asked for. */
interface Wanted {
  readonly subscribed: SubscribedModel
  readonly selection: Selection
}

/** The field over these models. */
export function transactionsField(
  scope: SubscriptionScope,
  models: readonly SubscribedModel[],
): FieldDefinition {
  return {
    type: 'CommittedChanges!',
    description:
      'What each transaction changed of the models that `of` names, in commit order; large ones in parts. A transaction that ' +
      'changed nothing of it does not come.',
    args: {
      of: { type: 'ChangesOf!', description: 'The models, and which changes of each: at least one.' },
      after: AFTER_ARGUMENT,
    },
    async subscribe(_root, { of, after }: ChangesArguments, context, info) {
      checkContext(context)
      const wanted = wantedOf(models, of)
      const cursor = lastEventIdOf(context) ?? after ?? undefined
      const audience = await letIn(scope, wanted, context, info)
      const open = () => {
        const parts = begin(scope, wanted, { cursor, context, info })
        setAudience(parts, audience)
        return parts
      }
      if (cursor !== undefined) return open()
      const [first, ...others] = wanted.map(({ subscribed }) => subscribed.model.name)
      // Each waits for its own; what is opened last is opened when all are live.
      for (const model of others) await onceLive(scope.feed, model, () => undefined)
      return onceLive(scope.feed, first ?? '', open)
    },
    resolve: (event: unknown) => event,
  }
}

/** @throws BAD_FILTER where no model is named */
function wantedOf(models: readonly SubscribedModel[], of: ChangesArguments['of']): readonly Wanted[] {
  const wanted = models.flatMap((subscribed) => {
    const selection = of[subscribed.names.one]
    return selection == null ? [] : [{ subscribed, selection }]
  })
  if (wanted.length > 0) return wanted
  const [first] = models
  throw toSubscriptionError(
    badFilter(
      'of',
      'no model is named.',
      `Name the models whose changes you want: { ${first?.names.one ?? ''}: {} }.`,
    ),
  )
}

/**
 * Asks the policies of all that the subscription can show, its models themselves even where none of their rows is selected.
 * @throws FORBIDDEN, FIELD_HIDDEN, POLICY_FAILED
 */
async function letIn(
  scope: SubscriptionScope,
  wanted: readonly Wanted[],
  context: object,
  info: GraphQLResolveInfo,
): Promise<string | null> {
  const { policies, metadata, modelOf } = scope
  const asked = wanted.map(({ subscribed }) => subscribed.model.name)
  const shown = [...selectedModels(info, modelOf), ...asked]
  refuseDependent(policies, shown, 'Subscribe to the changes of each model.')
  await policies.prepare(context, shown)
  await metadata?.prepare(context)
  for (const model of asked) {
    if (await policies.maySubscribe(context, model)) continue
    throw graphqlError('FORBIDDEN', `You may not subscribe to changes of ${model}.`)
  }
  const modelsOfTypes = wanted.flatMap(({ subscribed: { names, model } }) =>
    [names.change, ...Object.values(names.byAction)].map((type) => [type, model.name] as const),
  )
  checkSelectedChanges(policies, context, info, new Map(modelsOfTypes))
  return audienceOfModels(scope, shown, context)
}

/** Begins them all, at one position. @throws what keeps one from beginning, as clients may see it */
function begin(
  scope: SubscriptionScope,
  wanted: readonly Wanted[],
  asked: {
    readonly cursor: string | undefined
    readonly context: object
    readonly info: GraphQLResolveInfo
  },
): TransactionSubscription {
  const { cursor, context, info } = asked
  if (wanted.length > 1 && (scope.feed.sources?.length ?? 1) > 1) {
    throw graphqlError(
      'GRAPHQL_BAD_ARGUMENT',
      'Models of several databases have no commit order in common.',
      {
        hint: 'Name one model in `of`, or subscribe to each.',
      },
    )
  }
  try {
    if (cursor !== undefined) parseCursor(cursor)
    for (const node of info.fieldNodes) checkVariablesOf(node, valuesOf(info.variableValues))
    const requests = wanted.map((each) => requestOf(scope, each, context))
    const subscribe = (request: (typeof requests)[number]) =>
      scope.feed.subscribeDeliveries({ ...request, after: cursor, account: accountOf(context) })
    return new TransactionSubscription(mergeDeliveries(requests, subscribe, cursor, PART_BOUNDS))
  } catch (error) {
    throw toSubscriptionError(error)
  }
}

function requestOf(
  { feed, policies }: SubscriptionScope,
  { subscribed, selection: { action, ...input } }: Wanted,
  context: object,
): SubscriptionRequest {
  const { model, omit, names } = subscribed
  checkIsLive(subscribed)
  const actions = checkActions(action) ?? undefined
  const filter = parseFilterArguments(
    feed.catalog,
    { model, omit },
    input,
    policies.view(context, model.name),
  )
  if (asksRelatedRows(filter)) {
    throw graphqlError(
      'GRAPHQL_BAD_ARGUMENT',
      `of.${names.one}: who sees which rows of ${model.name} depends on other rows.`,
      { hint: `Subscribe to ${names.changed} beside it.` },
    )
  }
  // One that keeps the latest change of each row only would give parts of transactions.
  return { model: model.name, actions, filter, overflow: 'end' }
}

/** `of: $of` has a value; what is written within it is looked at model by model. */
function checkVariablesOf(field: FieldNode, values: Readonly<Record<string, unknown>>): void {
  const of = field.arguments?.find(({ name }) => name.value === 'of')
  if (of?.value.kind !== Kind.OBJECT) return
  for (const part of of.value.fields) {
    if (part.value.kind === Kind.VARIABLE) checkVariables([part], values, 'of.')
    else if (part.value.kind === Kind.OBJECT)
      checkVariables(filterParts(part.value.fields), values, `of.${part.name.value}.`)
  }
}

/** All but `action`, which every document may leave open. */
function filterParts(parts: readonly ObjectFieldNode[]): readonly ObjectFieldNode[] {
  return parts.filter(({ name }) => name.value !== 'action')
}
