/** A rowcast without PostgreSQL: the real bus, fed by hand. */

import type { ChangeBus, SubscriptionRequest } from '../../src/bus/bus.ts'
import { checkImagesAreSent } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { MemoryBusOptions } from '../../src/bus/memory-bus-options.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import type { AnyChange, TransactionInfo, TransactionPart } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import type { ChangeFeed } from '../../src/graphql/change-feed.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { partUnreadAt } from '../support/unread-part.ts'

/** A feed and what a test does with it. */
export interface FakeFeed extends ChangeFeed {
  /** Every subscription asked for. */
  readonly requests: readonly SubscriptionRequest[]
  /** How many subscriptions were ended by their reader. */
  readonly returned: number
  /** The stream begins: from now on there is a log to resume from. @param floor where the log begins. @default 1n */
  open(floor?: bigint): void
  /** Commits one transaction of these changes. */
  commit(...changes: readonly Partial<AnyChange>[]): void
  /** The same, of a transaction that commits there: a number beyond that of the one before. */
  commitAt(commit: number, ...changes: readonly Partial<AnyChange>[]): void
  /** The same, of which the change at the offset cannot be read. @param error what is thrown then */
  commitUnread(offset: number, error: unknown, ...changes: readonly Partial<AnyChange>[]): void
  /** What the bus does when the server stops, and when changes of models wait. */
  readonly stop: ChangeBus['stop']
  readonly hold: ChangeBus['hold']
  /** Ends all subscriptions. */
  close(error?: Error): void
}

/** The transaction of every fake change; the xid does not fit a signed 32-bit integer. */
export const transaction: TransactionInfo = plainTransaction(1, {
  xid: 4_000_000_000,
  committedAt: new Date('2026-11-23T08:15:30.123Z'),
})

/** Creates a feed in which the models named are live. */
export function createFakeFeed(
  catalog: ModelCatalog,
  live: readonly string[],
  hasOldImages = true,
  options: MemoryBusOptions = {},
): FakeFeed {
  const bus = createMemoryBus({ models: catalog.models, ...options })
  const requests: SubscriptionRequest[] = []
  let returned = 0
  const partOf = (info: TransactionInfo, changes: readonly Partial<AnyChange>[]): TransactionPart => ({
    transaction: info,
    changes: changes.map((change, index) => plainChange({ transaction: info, index, ...change })),
    isFinal: true,
    byteLength: 0,
  })
  return {
    catalog,
    requests,
    open(floor = 1n) {
      bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(floor), serverLsn: toLsn(floor) })
    },
    get returned() {
      return returned
    },
    isRegistered: (model) => live.includes(model),
    subscribeDeliveries(request) {
      const { model, filter, actions } = request
      const spec = catalog.models[model]
      if (filter && spec !== undefined) checkImagesAreSent(filter, spec, { hasOldImages, actions })
      requests.push(request)
      const subscription = bus.subscribe(request)
      return {
        pull: subscription.pull,
        next: () => subscription.next(),
        return() {
          returned += 1
          return subscription.return()
        },
        [Symbol.asyncIterator]() {
          return this
        },
      }
    },
    commit: (...changes) => bus.publish(partOf(transaction, changes)),
    commitUnread: (offset, error, ...changes) =>
      bus.publish(partUnreadAt(partOf(transaction, changes), offset, error)),
    commitAt: (commit, ...changes) => bus.publish(partOf(plainTransaction(commit), changes)),
    stop: (endOf) => bus.stop(endOf),
    hold: (models) => bus.hold(models),
    changeCursor: () => Promise.resolve(formatCursor(PLAIN_ORIGIN, transaction.commitLsn, 0)),
    whenVisible: () => Promise.resolve(),
    hasOldImages: () => hasOldImages,
    close: (error) => bus.close(error),
  }
}
