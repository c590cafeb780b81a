/** Beside the spine. The changes that a live list or totals depend on. */
import type { BusSubscription, SubscriptionRequest } from './bus/bus.ts'
import type { ChangeFilter } from './bus/filter/change-filter.ts'
import type { FirstRowsHost } from './rowcast-first-rows.ts'
import type { RelatedRowsHost } from './rowcast-related.ts'
import type { FollowedChanges } from './sets/changes-of-models.ts'
import type { ShownRelation } from './sets/list-relations.ts'

/** What is kept. */
interface FollowedRows {
  readonly model: string
  readonly filter: ChangeFilter | null
  /** Relations that rows are shown with. */
  readonly relations: readonly ShownRelation[]
  /** Models whose rows decide about those that are kept; null where their own values do. */
  readonly decidedBy: Iterable<string> | null
}

/** Opens all of them, or none. @throws what has befallen a model */
export function openFollowed(
  { rowcast, related }: Pick<FirstRowsHost, 'rowcast'> & { readonly related: RelatedRowsHost },
  { model, filter, relations, decidedBy }: FollowedRows,
  after: string,
): readonly FollowedChanges[] {
  const opened: FollowedChanges[] = []
  const open = (
    subscribe: (request: SubscriptionRequest) => BusSubscription,
    [name, own]: readonly [string, ChangeFilter | null],
    shown: readonly ShownRelation[] = [],
  ) => {
    const subscription = subscribe({ model: name, filter: own, overflow: 'end', after })
    opened.push({ subscription, relations: shown })
  }
  const subscribe = (request: SubscriptionRequest) => rowcast().subscribeDeliveries(request)
  try {
    if (decidedBy === null) open(subscribe, [model, filter])
    else
      for (const name of new Set([model, ...decidedBy])) {
        // What has befallen one since the list was opened: nobody was there to be ended by it.
        const fault = related.faultOf(name)
        if (fault !== undefined) throw fault
        open((request) => related.bus.subscribe(request), [name, null])
      }
    // Each model once, whatever relations lead to it: what is seen of it is the same for all of them.
    for (const { related: to, filter: seen } of firstOfEach(relations))
      open(
        subscribe,
        [to.model.name, seen],
        relations.filter((each) => each.related.model.name === to.model.name),
      )
    return opened
  } catch (error) {
    for (const { subscription } of opened) void subscription.return()
    throw error
  }
}

function firstOfEach(relations: readonly ShownRelation[]): Iterable<ShownRelation> {
  return new Map(relations.toReversed().map((each) => [each.related.model.name, each])).values()
}
