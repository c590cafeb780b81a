/** Stage 7, graphql. `<model>List` on the Subscription root: a list that stays as a query would give it. */
import type { GraphQLResolveInfo } from 'graphql'
import { RowcastError } from '../../errors.ts'
import { accountOf } from '../bus-account.ts'
import { checkContext } from '../check-context.ts'
import { graphqlError, toSubscriptionError } from '../graphql-errors.ts'
import { valuesOf } from '../graphql-version.ts'
import { orderOf, whereOf } from '../listing/list-query.ts'
import { orderableFields } from '../listing/order-input.ts'
import { checkFilterVariables } from '../missing-variable.ts'
import { checkListFields } from '../policy/check-selected-fields.ts'
import { refuseDependent } from '../policy/policy-dependencies.ts'
import { fieldsUnder, selectedModels } from '../policy/selected-models.ts'
import type { FieldDefinition } from '../type-definition.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { relatedModels } from '../where/related-rules.ts'
import { withPrismaNames } from '../where/where-names.ts'
import { checkKeyIsSeen } from './check-key-is-seen.ts'
import { ListSubscription } from './list-subscription.ts'
import { onceLive } from './once-live.ts'
import { checkIsLive } from './open-subscription.ts'
import type { SubscribedModel } from './subscription-scope.ts'

interface ListFieldArguments {
  readonly where?: object | null | undefined
  readonly orderBy?: readonly Readonly<Record<string, unknown>>[] | null | undefined
  readonly take?: number | null | undefined
  readonly every?: number | null | undefined
  readonly after?: string | null | undefined
}

/** The field of one model. */
export function listField(subscribed: SubscribedModel): FieldDefinition {
  const { scope, model, names, omit } = subscribed
  const isOrdered = orderableFields(scope.feed.catalog, model, omit).length > 0
  return {
    type: `${names.list}!`,
    description: `Rows of ${model.name} as a query gives them, and after each transaction what has changed of that. It begins with all of them, whenever it begins.`,
    args: {
      where: { type: names.where, description: 'Which rows: the same filter as that of queries.' },
      ...(isOrdered
        ? {
            orderBy: {
              type: `[${names.orderBy}!]`,
              description: 'In which order; rows that are equal by it stand in that of their key.',
            },
          }
        : {}),
      take: { type: 'Int', description: 'The first so many rows, 1 to 1,000. 50 when left out.' },
      every: {
        type: 'Int',
        description: 'Milliseconds between two patches at the least, 60,000 at the most. 0 when left out.',
      },
      after: {
        type: 'Cursor',
        description: 'What a client has that comes again. A list begins whole, so nothing is missed.',
      },
    },
    async subscribe(_root, args: ListFieldArguments, context, info) {
      checkContext(context)
      await letIn(subscribed, args, context, info)
      return onceLive(scope.feed, model.name, () => open(subscribed, args, context, info))
    },
    resolve: (event: unknown) => event,
  }
}

/** @throws FORBIDDEN, FIELD_HIDDEN, POLICY_FAILED, GRAPHQL_BAD_ARGUMENT */
async function letIn(
  { scope, model, names }: SubscribedModel,
  { where }: ListFieldArguments,
  context: object,
  info: GraphQLResolveInfo,
): Promise<void> {
  const { policies, metadata, feed, modelOf } = scope
  const asked = [
    model.name,
    ...relatedModels(feed.catalog, model, withPrismaNames(feed.catalog, model, { where })),
  ]
  const shown = [...selectedModels(info, modelOf), ...asked]
  refuseDependent(policies, shown, `Subscribe to ${names.changed} with \`initial: true\`.`)
  await policies.prepare(context, shown)
  await metadata?.prepare(context)
  for (const name of asked) {
    if (await policies.maySubscribe(context, name)) continue
    throw graphqlError('FORBIDDEN', `You may not subscribe to changes of ${name}.`)
  }
  checkListFields(policies, context, info, model.name)
}

function open(
  subscribed: SubscribedModel,
  { where, orderBy, take, every }: ListFieldArguments,
  context: object,
  info: GraphQLResolveInfo,
): ListSubscription {
  const { scope, model, names, omit } = subscribed
  const { feed, policies } = scope
  checkIsLive(subscribed)
  try {
    if (feed.subscribeList === undefined)
      throw new RowcastError('FIRST_ROWS_REFUSED', 'This server has no live lists.')
    const view = policies.view(context, model.name)
    const related = policies.relatedViews(context)
    checkKeyIsSeen(model, omit, view)
    for (const node of info.fieldNodes) checkFilterVariables(node, valuesOf(info.variableValues))
    const request = { catalog: feed.catalog, model: { spec: model, names, omit }, view, related }
    const conditions = [whereOf(request, where), view.rows?.where].filter((each) => each !== undefined)
    return new ListSubscription(
      feed.subscribeList({
        model: model.name,
        conditions,
        filter: parseFilterArguments(feed.catalog, { model, omit, related }, { where }, view),
        order: orderOf(request, orderBy ?? []),
        take: take ?? undefined,
        every: every ?? undefined,
        // Counting is not free.
        isCounted: fieldsUnder(info, info.fieldNodes).some(({ name }) => name.value === 'totalCount'),
        account: accountOf(context),
      }),
    )
  } catch (error) {
    throw toSubscriptionError(error)
  }
}
