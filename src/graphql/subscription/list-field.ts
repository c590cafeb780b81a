/** Stage 7, graphql. `<model>List` on the Subscription root: a list that stays as a query would give it. */
import type { GraphQLResolveInfo } from 'graphql'
import { RowcastError } from '../../errors.ts'
import type { KeptListEvent } from '../../sets/kept-request.ts'
import { checkContext } from '../check-context.ts'
import { toSubscriptionError } from '../graphql-errors.ts'
import { orderOf } from '../listing/list-query.ts'
import { orderableFields } from '../listing/order-input.ts'
import { checkListFields } from '../policy/check-selected-fields.ts'
import { fieldsUnder } from '../selection-walk.ts'
import type { FieldDefinition } from '../type-definition.ts'
import { checkKeyIsSeen } from './check-key-is-seen.ts'
import { everyAndAfter, type KeptArguments, KeptEvents, keptRowsOf, letIn } from './kept-rows.ts'
import { onceLive } from './once-live.ts'
import { checkIsLive } from './open-subscription.ts'
import { type ShownRelations, shownRelations } from './shown-relations.ts'
import type { SubscribedModel } from './subscription-scope.ts'

interface ListFieldArguments extends KeptArguments {
  readonly orderBy?: readonly Readonly<Record<string, unknown>>[] | null | undefined
  readonly take?: number | null | undefined
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
      ...everyAndAfter('A list begins whole, so nothing is missed.'),
    },
    async subscribe(_root, args: ListFieldArguments, context, info) {
      checkContext(context)
      const audience = await letIn(subscribed, args, context, info)
      checkListFields(scope.policies, context, info, model.name)
      const shown = await shownRelations(subscribed, context, info)
      const wanted = { info, audience, shown }
      return onceLive(scope.feed, model.name, () => open(subscribed, args, context, wanted))
    },
    resolve: (event: unknown) => event,
  }
}

interface AskedList {
  readonly info: GraphQLResolveInfo
  /** Whose results the subscription gives. */
  readonly audience: string | null
  readonly shown: ShownRelations
}

function open(
  subscribed: SubscribedModel,
  args: ListFieldArguments,
  context: object,
  { info, audience, shown }: AskedList,
): KeptEvents<KeptListEvent> {
  const { scope, model, omit } = subscribed
  const { feed, policies } = scope
  checkIsLive(subscribed)
  try {
    if (feed.subscribeList === undefined)
      throw new RowcastError('FIRST_ROWS_REFUSED', 'This server has no live lists.')
    checkKeyIsSeen(model, omit, policies.view(context, model.name))
    const { query, kept } = keptRowsOf(subscribed, args, context, info)
    return new KeptEvents(
      feed.subscribeList({
        ...kept,
        order: orderOf(query, args.orderBy ?? []),
        take: args.take ?? undefined,
        ...shown,
        // Counting is not free.
        isCounted: fieldsUnder(info, info.fieldNodes).some(({ name }) => name.value === 'totalCount'),
      }),
      audience,
    )
  } catch (error) {
    throw toSubscriptionError(error)
  }
}
