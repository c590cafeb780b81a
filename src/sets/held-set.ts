/** Sets, between stages 6 and 7. A set as it is kept for all who ask it, and who is to hear of what moves it. */
import type { Bucket } from '../bus/filter/bucket.ts'
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import type { KeySetSpec } from '../bus/filter/condition.ts'
import type { KeyListener, LiveKeys } from '../bus/filter/key-path.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { KeySet } from './key-set.ts'
import type { StreamTransaction } from './rows-at.ts'

/** Somebody who looks at the transactions that may concern it. */
export interface SetWatcher {
  /** This one may: one that changes a row that its filter may ask for, or a set. */
  concern(transaction: StreamTransaction): void
}

/** What may concern a watcher, besides its sets. */
export interface Watch {
  readonly watcher: SetWatcher
  /** What it asks of changes of each model; null where each may concern it. */
  readonly filters: ReadonlyMap<ModelSpec, ChangeFilter | null>
}

/** Equal for sets of the same keys. */
export type SetId = string | KeySetSpec

const SETTLED = Promise.resolve()

/** A set that somebody asks. */
export class HeldSet implements LiveKeys {
  readonly spec: KeySetSpec
  readonly inputs: ReadonlyMap<SetId, HeldSet>
  /** Inputs have lower ones than those that ask them. */
  readonly sequence: number
  readonly listeners = new Set<KeyListener>()
  /** Sets that ask it. */
  dependents: Bucket<HeldSet> | undefined
  /** Those who judge changes by it. */
  watchers: Bucket<SetWatcher> | undefined
  holders = 1
  /** Null until it is loaded. */
  set: KeySet | null = null
  /** While it is behind: the transaction that it has been brought through, or is loaded at. */
  ordinal: number
  /** Steps that it has still to take; none: it has been brought through all that came. */
  pending = 0
  /** Keys that count for all sets together. */
  kept = 0
  /** What ended it; null while it is kept. */
  failure: Error | null = null
  /** Settles when all that came so far has been taken; rejects for good with what ended it. */
  tail: Promise<void> = SETTLED

  constructor(spec: KeySetSpec, inputs: ReadonlyMap<SetId, HeldSet>, sequence: number, ordinal: number) {
    this.spec = spec
    this.inputs = inputs
    this.sequence = sequence
    this.ordinal = ordinal
  }

  all(): Iterable<ValueKey> {
    return this.set?.keys.all() ?? []
  }

  /** Calls those who look sets up by these keys. */
  announce(keys: Iterable<ValueKey>, isIn: (key: ValueKey) => boolean): void {
    if (this.listeners.size === 0) return
    for (const key of keys) for (const listener of this.listeners) listener.onKey(this, key, isIn(key))
  }
}

/** Equal for sets of the same keys. */
export function idOf(spec: KeySetSpec): SetId {
  return spec.text ?? spec
}
