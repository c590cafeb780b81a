/** Stage 7, graphql. From what a client asks `<model>Changed` for to a subscription of the feed. */
import { MappedIteration } from '../../async-iteration.ts'
import type { OverflowPolicy } from '../../bus/bus.ts'
import { asksRelatedRows, type ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import type { Account } from '../../bus/holdings.ts'
import type { ChangeAction } from '../../changes/change.ts'
import { parseCursor } from '../../changes/cursor.ts'
import { RowcastError } from '../../errors.ts'
import type { IncludedRelation } from '../../sets/included-relation.ts'
import { checkIncludesAlone } from '../../sets/parse-include.ts'
import type { Rights } from '../../sets/rights.ts'
import type { ChangeEvent, EventSubscription } from '../../sets/row-subscription.ts'
import { followsNoRelations } from '../change-feed.ts'
import { type EventAction, isChangeAction } from '../event-action.ts'

import { graphqlError, toSubscriptionError } from '../graphql-errors.ts'
import { whereOf } from '../listing/list-query.ts'
import type { ModelView, RelatedViews } from '../policy/viewer-policies.ts'
import type { ArgumentDefinition } from '../type-definition.ts'
import { parseFilterArguments } from '../where/filter-arguments.ts'
import { checkKeyIsSeen } from './check-key-is-seen.ts'
import type { SubscribedModel } from './subscription-scope.ts'

/** Arguments beside `action`, as GraphQL has coerced them. */
export interface SubscriptionArguments extends ChangeFilterInput {
  readonly after?: string | null | undefined
  readonly overflow?: OverflowPolicy | null | undefined
  readonly initial?: boolean | null | undefined
  readonly pageSize?: number | null | undefined
}

/** What a client asks for, and what it may see; the filter is parsed where its faults are reported. */
export interface WantedEvents {
  readonly actions: readonly ChangeAction[] | null | undefined
  readonly after: string | null | undefined
  readonly overflow: OverflowPolicy | null | undefined
  readonly filter: ChangeFilterInput
  readonly view: ModelView
  /** What it may see of the models that the filter leads to. */
  readonly related: RelatedViews
  /** Whether it begins with the rows there are. */
  readonly hasRows: boolean
  /** Where what it may see depends on rows. */
  readonly rights: Rights | undefined
  readonly pageSize: number | null | undefined
  /** Relations whose changes are heard of. @throws BAD_FILTER */
  readonly include: () => readonly IncludedRelation[] | undefined
  readonly label: string | undefined
  readonly account: Account | undefined
  readonly checkFilter: () => void
}

/** `action`. */
export const ACTION_ARGUMENT: ArgumentDefinition = {
  type: '[ChangeAction!]',
  description: 'Which actions: one, or a list. All when left out; an empty list is an error.',
}

/** `after`. */
export const AFTER_ARGUMENT: ArgumentDefinition = {
  type: 'Cursor',
  description:
    'Go on after this cursor: first what was missed, then live. Where that is not possible the ' +
    'subscription ends with RESYNC_REQUIRED. Left out: what commits from now on.',
}

/** The actions that are asked for. @throws GRAPHQL_BAD_ARGUMENT for none, and for those that no write does */
export function checkActions(
  actions: readonly EventAction[] | null | undefined,
): readonly ChangeAction[] | null | undefined {
  if (actions?.length === 0) {
    throw graphqlError('GRAPHQL_BAD_ARGUMENT', 'action: [] asks for no change at all.', {
      hint: 'Name at least one action, or leave `action` out for all.',
    })
  }
  const other = actions?.find((action) => !isChangeAction(action))
  if (other !== undefined) {
    throw graphqlError('GRAPHQL_BAD_ARGUMENT', `action: ${other} asks for no change.`, {
      hint: 'READ and READY come where rows are asked for. Leave them out.',
    })
  }
  return actions?.filter((action) => isChangeAction(action))
}

/** @throws CATALOG_MODEL_NOT_REGISTERED */
export function checkIsLive({ scope: { feed }, model }: SubscribedModel): void {
  if (feed.isRegistered(model.name)) return
  throw graphqlError('CATALOG_MODEL_NOT_REGISTERED', `Model ${model.name} exists, but is not live.`, {
    hint: `Call rowcast.register('${model.name}') before start().`,
  })
}

/** Begins the subscription. @throws what keeps it from beginning, as clients may see it */
export function openSubscription(subscribed: SubscribedModel, wanted: WantedEvents): PublicSubscription {
  checkIsLive(subscribed)
  try {
    if (typeof wanted.after === 'string') parseCursor(wanted.after)
    return new PublicSubscription(
      wanted.hasRows ? subscribeToRows(subscribed, wanted) : subscribeToChanges(subscribed, wanted),
    )
  } catch (error) {
    throw toSubscriptionError(error)
  }
}

function subscribeToChanges(
  { scope: { feed }, model, omit }: SubscribedModel,
  wanted: WantedEvents,
): EventSubscription {
  const { actions, after, overflow, filter, view, related, label, account, rights, checkFilter } = wanted
  checkFilter()
  const include = includeOf(wanted)
  const parsed = parseFilterArguments(feed.catalog, { model, omit, related }, filter, view)
  const request = {
    ...{ model: model.name, account },
    actions: actions ?? undefined,
    after: after ?? undefined,
    overflow: overflow ?? undefined,
  }
  if (!asksRelatedRows(parsed) && rights === undefined && include === undefined)
    return feed.subscribeDeliveries({ ...request, filter: parsed, label })
  if (feed.subscribeRelated !== undefined)
    return feed.subscribeRelated({ ...request, filter: parsed, rights, include })
  throw followsNoRelations(model.name)
}

/** The rows are asked for with the same `where` as the changes, and with the viewer's rights, as those of a list are. */
function subscribeToRows(
  { scope: { feed }, model, names, omit }: SubscribedModel,
  wanted: WantedEvents,
): EventSubscription {
  const { actions, overflow, filter, view, related, pageSize, label, account, rights, checkFilter } = wanted
  const { where, old, new: after, changed } = filter
  if (feed.subscribeRows === undefined)
    throw new RowcastError('FIRST_ROWS_REFUSED', 'Subscriptions of this server do not begin with rows.')
  checkKeyIsSeen(model, omit, view)
  checkFilter()
  const asked = whereOf({ catalog: feed.catalog, model: { spec: model, names, omit }, view, related }, where)
  const seen = view.rows?.where
  return feed.subscribeRows({
    model: model.name,
    filter: parseFilterArguments(feed.catalog, { model, omit, related }, { where }, view),
    conditions: [asked, seen].filter((condition) => condition !== undefined),
    pageSize: pageSize ?? undefined,
    refused: {
      action: actions ?? undefined,
      ...{ old: old ?? undefined, new: after ?? undefined, changed: changed ?? undefined },
    },
    ...{ label, account, rights, include: includeOf(wanted) },
    overflow: overflow ?? undefined,
  })
}

/** Beside it, rows are asked for with `where` alone. @throws BAD_FILTER */
function includeOf({ include, actions, filter }: WantedEvents): readonly IncludedRelation[] | undefined {
  const included = include()
  const { old, new: after, changed } = filter
  const others = { action: actions, old, new: after, changed }
  if (included !== undefined)
    checkIncludesAlone(
      Object.fromEntries(Object.entries(others).map(([name, value]) => [name, value ?? undefined])),
    )
  return included
}

const asItIs = (event: ChangeEvent) => event

/**
 * The same subscription; an error that ends it reaches the client with code and hint where it may. A class: there are many thousands
 * of them.
 */
class PublicSubscription extends MappedIteration<ChangeEvent, ChangeEvent> implements EventSubscription {
  readonly #from: EventSubscription

  constructor(from: EventSubscription) {
    super(from, asItIs, toSubscriptionError)
    this.#from = from
  }

  get pull() {
    return this.#from.pull
  }
}
