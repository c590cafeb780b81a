/** Stage 7, graphql. `<model>Totals` on the Subscription root: counts, sums, least and greatest values that stay as a query would give them. */
import type { GraphQLResolveInfo } from 'graphql'
import { RowcastError } from '../../errors.ts'
import type { KeptTotalsEvent } from '../../sets/kept-request.ts'
import { checkContext } from '../check-context.ts'
import { toSubscriptionError } from '../graphql-errors.ts'
import { fieldsUnder } from '../selection-walk.ts'
import type { FieldDefinition } from '../type-definition.ts'
import { everyAndAfter, type KeptArguments, KeptEvents, keptRowsOf, letIn } from './kept-rows.ts'
import { onceLive } from './once-live.ts'
import { checkIsLive } from './open-subscription.ts'
import type { SubscribedModel } from './subscription-scope.ts'
import { TOTAL_PARTS, type TotalField, type TotalPart, totalFields } from './totals-types.ts'

/** The field of one model. */
export function totalsField(subscribed: SubscribedModel): FieldDefinition {
  const { scope, model, names } = subscribed
  const all = {
    sum: totalFields(subscribed, 'sum'),
    min: totalFields(subscribed, 'min'),
    max: totalFields(subscribed, 'max'),
  }
  return {
    type: `${names.totals}!`,
    description: `How many rows of ${model.name} there are, sums, least and greatest values: as they are, then whenever they differ.`,
    args: {
      where: { type: names.where, description: 'Of which rows: the same filter as that of queries.' },
      ...everyAndAfter('Totals begin with what they are, so nothing is missed.'),
    },
    async subscribe(_root, args: KeptArguments, context, info) {
      checkContext(context)
      const audience = await letIn(subscribed, args, context, info)
      const fields = selectedTotals(all, info)
      for (const part of TOTAL_PARTS)
        scope.policies.checkVisible(context, {
          model: model.name,
          fields: fields[part].map(({ name }) => name),
        })
      return onceLive(scope.feed, model.name, () =>
        open(subscribed, args, context, { info, fields, audience }),
      )
    },
    resolve: (event: unknown) => event,
  }
}

type SelectedTotals = ReturnType<typeof selectedTotals>

/** What is selected, wherever it stands in the document: whether a directive skips it makes no difference. */
function selectedTotals(all: Readonly<Record<TotalPart, readonly TotalField[]>>, info: GraphQLResolveInfo) {
  const parts = fieldsUnder(info, info.fieldNodes)
  const selected = (part: TotalPart) => {
    const nodes = parts.filter(({ name }) => name.value === part)
    const wanted = new Set(fieldsUnder(info, nodes).map(({ name }) => name.value))
    return all[part].flatMap(({ name, field }) => (wanted.has(name) ? [field] : []))
  }
  return { sum: selected('sum'), min: selected('min'), max: selected('max') }
}

interface OpenedTotals {
  readonly info: GraphQLResolveInfo
  readonly fields: SelectedTotals
  readonly audience: string | null
}

function open(
  subscribed: SubscribedModel,
  args: KeptArguments,
  context: object,
  { info, fields, audience }: OpenedTotals,
): KeptEvents<KeptTotalsEvent> {
  const { feed } = subscribed.scope
  checkIsLive(subscribed)
  try {
    if (feed.subscribeTotals === undefined)
      throw new RowcastError('FIRST_ROWS_REFUSED', 'This server has no live totals.')
    const { kept } = keptRowsOf(subscribed, args, context, info)
    return new KeptEvents(feed.subscribeTotals({ ...kept, fields }), audience)
  } catch (error) {
    throw toSubscriptionError(error)
  }
}
