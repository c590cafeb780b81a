/** Beside the spine. `subscribe([…])` and `transactions({ … })`: several models, whole transactions, in commit order. */
import { flatIterator, mapIterator } from './async-iteration.ts'
import type { BusSubscription, SubscriptionRequest } from './bus/bus.ts'
import { badFilter } from './bus/filter/bad-filter.ts'
import { parseChangeFilter } from './bus/filter/change-filter.ts'
import { mergeDeliveries } from './bus/merge-deliveries.ts'
import type { ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { omittedByPrisma } from './catalog/prisma-omit.ts'
import type { AnyChange, TransactionInfo } from './changes/change.ts'
import type { LooseSubscribeOptions } from './rowcast-api.ts'
import { actionsOf, ownRows } from './rowcast-changes.ts'

/** What is needed of a rowcast. */
export interface TransactionsHost {
  readonly catalog: ModelCatalog
  readonly prisma: unknown
  /** @throws CATALOG_UNKNOWN_MODEL */
  specOf(model: string): ModelSpec
  subscribeDeliveries(request: SubscriptionRequest): BusSubscription
}

/** Where they go on, and what ends them. */
type Options = Pick<LooseSubscribeOptions, 'after' | 'signal'>

/** What is asked for of each model, by its name. */
export type LooseSelection = Readonly<Record<string, Selection | undefined>>

type Selection = Pick<LooseSubscribeOptions, 'action' | 'where' | 'old' | 'new' | 'changed'>

/** One part, as the library's users get it. */
export interface AnyTransaction {
  readonly transaction: TransactionInfo
  readonly changes: readonly AnyChange[]
  readonly cursor: string
  readonly isLast: boolean
}

/** Whole transactions. @throws BAD_FILTER where no model is named, and what a subscription to one model throws */
export function subscribeTransactions<T>(
  host: TransactionsHost,
  of: LooseSelection,
  { after, signal }: Options,
): AsyncIterableIterator<T> {
  const asked = Object.entries(of).flatMap(([model, selection]) =>
    selection === undefined ? [] : [requestOf(host, model, selection)],
  )
  if (asked.length === 0)
    throw badFilter('of', 'no model is named.', 'Name the models whose changes you want: { User: {} }.')
  // One that keeps the latest change of each row only would give parts of transactions.
  const subscribe = (request: (typeof asked)[number]) =>
    host.subscribeDeliveries({ ...request, after, signal, overflow: 'end' })
  const merged = mergeDeliveries(asked, subscribe, after)
  const omitted = new Map(asked.map(({ model }) => [model, omittedByPrisma(host.prisma, model)]))
  return mapIterator(merged, ({ transaction, deliveries, isLast }) => {
    const changes = deliveries.map((delivery) =>
      ownRows(delivery, omitted.get(delivery.change.model) ?? new Set()),
    )
    const part: AnyTransaction = { transaction, changes, cursor: changes.at(-1)?.cursor ?? '', isLast }
    return part as T
  })
}

function requestOf(
  { catalog, specOf }: TransactionsHost,
  model: string,
  { action, where, old, new: after, changed }: Selection,
) {
  const filter = parseChangeFilter(specOf(model), catalog, { where, old, new: after, changed })
  return { model, actions: actionsOf(action), filter }
}

/** The changes of several models, one by one. @throws as `subscribeTransactions` */
export function changesOfSeveral<C>(
  host: TransactionsHost,
  models: readonly string[],
  { action, after, signal, ...others }: LooseSubscribeOptions,
): AsyncIterableIterator<C> {
  // What is not looked at must not be taken for a condition that holds.
  const [other] = Object.entries(others).filter(([, value]) => value !== undefined)
  if (other !== undefined)
    throw badFilter(
      other[0],
      'it is no option of a subscription to several models.',
      'Use `transactions({ User: { where } })`, or a subscription to one model.',
    )
  const of = Object.fromEntries(models.map((model) => [model, { action }]))
  const transactions = subscribeTransactions<AnyTransaction>(host, of, { after, signal })
  return flatIterator(transactions, ({ changes }) => changes) as AsyncIterableIterator<C>
}
