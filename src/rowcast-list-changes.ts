/** Beside the spine. The changes that a live list or totals depend on. */
import type { BusSubscription, SubscriptionRequest } from './bus/bus.ts'
import { badFilter } from './bus/filter/bad-filter.ts'
import type { ChangeFilter } from './bus/filter/change-filter.ts'
import { openAll } from './bus/merge-deliveries.ts'
import type { FirstRowsHost } from './rowcast-first-rows.ts'
import type { RelatedRowsHost } from './rowcast-related.ts'
import type { FollowedModel } from './sets/changes-of-models.ts'
import type { ShownRelation } from './sets/list-relations.ts'
import type { RelatedReads } from './sets/read-related.ts'
import { modelsOf, policyUnfollowed, type ReadRelation } from './sets/read-relation.ts'
import { unmarkedWhere } from './sets/unmarked-where.ts'

/** What is kept. */
interface FollowedRows {
  readonly model: string
  readonly filter: ChangeFilter | null
  /** Relations that rows are shown with. */
  readonly relations: readonly ShownRelation[]
  /** Those that are read with the rows. */
  readonly asked: readonly ReadRelation[]
  /** Models whose rows decide about those that are kept; null where their own values do. */
  readonly decidedBy: Iterable<string> | null
}

/** One model's changes, and how they are subscribed to. */
interface AskedModel extends Pick<FollowedModel, 'relations' | 'asked'> {
  readonly request: SubscriptionRequest
  readonly subscribe: (request: SubscriptionRequest) => BusSubscription
}

/** How related rows are read. */
export function relatedReading({
  softDeleteOf,
  schema,
}: Pick<FirstRowsHost, 'softDeleteOf'> & { readonly schema: string }): Omit<RelatedReads, 'of' | 'bounds'> {
  return { schema, unmarked: (model) => unmarkedWhere(model, softDeleteOf(model.name)) }
}

/** @throws BAD_FILTER where changes of a model do not come that is shown, or of its join table; POLICY_FAILED of one that a policy asks */
export function checkReadRelations(related: RelatedRowsHost, asked: readonly ReadRelation[]): void {
  for (const each of asked) {
    const missing = [...modelsOf(each)].find((name) => !related.isPublished(name))
    if (missing === undefined) continue
    const [why, hint] = [`${missing} is not live`, `Call rowcast.follow('${missing}') before start().`]
    throw each.steps.some(({ model }) => model.name === missing)
      ? badFilter(each.name, `${why}.`, hint)
      : policyUnfollowed(each.last.related.model.name, why, hint)
  }
}

/** Opens all of them, or none. @throws what has befallen a model */
export function openFollowed(
  { rowcast, related }: Pick<FirstRowsHost, 'rowcast'> & { readonly related: RelatedRowsHost },
  { model, filter, relations, asked: read, decidedBy }: FollowedRows,
  after: string,
): readonly FollowedModel[] {
  const requestOf = (name: string, own: ChangeFilter | null): SubscriptionRequest => ({
    ...{ model: name, filter: own, overflow: 'end', after },
  })
  const subscribe = (request: SubscriptionRequest) => rowcast().subscribeDeliveries(request)
  const deciding = (name: string): AskedModel => {
    // What has befallen one since the list was opened: nobody was there to be ended by it.
    const fault = related.faultOf(name)
    if (fault !== undefined) throw fault
    return {
      request: requestOf(name, null),
      subscribe: (each) => related.bus.subscribe(each),
      relations: [],
    }
  }
  const asked: AskedModel[] =
    decidedBy === null
      ? [{ request: requestOf(model, filter), subscribe, relations: [] }]
      : [...new Set([model, ...decidedBy])].map(deciding)
  for (const shown of byModel(relations)) {
    // What is seen of a model is the same for all relations that lead to it.
    const [{ filter: seen, related: to }] = shown
    asked.push({ request: requestOf(to.model.name, seen), subscribe, relations: shown })
  }
  for (const name of new Set(read.flatMap((each) => [...modelsOf(each)])))
    asked.push({ ...deciding(name), asked: read.filter((each) => modelsOf(each).has(name)) })
  const opened = openAll(asked, (each) => each.subscribe(each.request))
  return asked.map((each, at) => ({
    subscription: opened[at] as BusSubscription,
    relations: each.relations,
    asked: each.asked,
  }))
}

/** Each model once, with what leads to it. */
function byModel(
  relations: readonly ShownRelation[],
): Iterable<readonly [ShownRelation, ...ShownRelation[]]> {
  const found = new Map<string, [ShownRelation, ...ShownRelation[]]>()
  for (const each of relations) {
    const { name } = each.related.model
    const others = found.get(name)
    if (others === undefined) found.set(name, [each])
    else others.push(each)
  }
  return found.values()
}
