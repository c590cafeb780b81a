/**
 * Beside the spine, observe. What was handed to sockets: one call for each change and socket, hundreds of thousands a
 * second, so it adds to plain numbers and nothing else.
 */
import type { Delivery } from '../bus/bus.ts'
import { isReplayed } from '../bus/match.ts'
import { CHANGE_ACTIONS, type ChangeAction } from '../changes/change.ts'
import { memberOf } from '../member-of.ts'
import { type Histogram, LATENCY_BOUNDS } from './metric-table.ts'

/** A change's own, and that of rows which a transaction brought into sight, or out of it, without writing them. */
type DeliveredAction = ChangeAction | 'READ'

const DELIVERED_ACTIONS: readonly DeliveredAction[] = [...CHANGE_ACTIONS, 'READ']

/** Counts of one model. */
interface ModelDeliveries {
  readonly actions: Record<DeliveredAction, number>
  replayed: number
}

/** Counts deliveries. */
export class DeliveryCounters {
  readonly models = new Map<string, ModelDeliveries>()
  readonly #buckets: number[] = new Array<number>(LATENCY_BOUNDS.length + 1).fill(0)
  readonly #now: () => number
  #sumSeconds = 0

  constructor(models: readonly string[], now: () => number = Date.now) {
    this.#now = now
    for (const model of models) this.#of(model)
  }

  get latency(): Histogram {
    return { bounds: LATENCY_BOUNDS, buckets: this.#buckets, sum: this.#sumSeconds }
  }

  /**
   * Takes what a subscription's source gave, the changes of a transaction one by one; what is no delivery of a change is not counted:
   * first rows are none.
   */
  readonly onDelivered = (value: unknown): void => {
    for (const delivery of deliveriesIn(value)) this.#count(delivery)
  }

  #count(delivery: Delivery): void {
    const { model, action, transaction } = delivery.change
    const counts = this.#of(model)
    counts.actions[action] += 1
    if (isReplayed(delivery)) {
      counts.replayed += 1
      return
    }
    // Two machines' clocks: nothing arrives before it was sent.
    const seconds = Math.max(0, this.#now() - transaction.committedAt.getTime()) / 1_000
    let bucket = 0
    while (bucket < LATENCY_BOUNDS.length && seconds > (LATENCY_BOUNDS[bucket] as number)) bucket += 1
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1
    this.#sumSeconds += seconds
  }

  #of(model: string): ModelDeliveries {
    const known = this.models.get(model)
    if (known !== undefined) return known
    const actions = Object.fromEntries(DELIVERED_ACTIONS.map((action) => [action, 0]))
    const created = { actions: actions as ModelDeliveries['actions'], replayed: 0 }
    this.models.set(model, created)
    return created
  }
}

/** The deliveries of changes that a value is or has. */
export function deliveriesIn(value: unknown): readonly Delivery[] {
  const several = memberOf(value, 'deliveries')
  return (Array.isArray(several) ? several : [value]).filter(isDelivery)
}

function isDelivery(value: unknown): value is Delivery {
  if (typeof value !== 'object' || value === null || !('change' in value) || !('hidesOld' in value))
    return false
  return memberOf(value.change, 'transaction') !== null
}
