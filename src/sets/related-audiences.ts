/**
 * Sets, between stages 6 and 7. Those who ask for the same and have everything there is, as one watcher: a transaction is judged once for all of
 * them, and each is given what comes of it.
 */
import { callAll } from '../bus/call-all.ts'
import { type Bucket, itemsOf, sizeOf, withItem, withoutItem } from '../bus/filter/bucket.ts'
import { conditionsOf } from '../bus/filter/change-filter.ts'
import { NODE_TIMERS, type SliceTimers, TurnCount } from '../bus/time-slices.ts'
import type { SetWatcher } from './held-set.ts'
import { LiveRows } from './live-rows.ts'
import type { StreamTransaction } from './rows-at.ts'
import type { HeldSets, SetGraph } from './set-graph.ts'
import {
  type AskedWrites,
  audienceOf,
  judgedAtOnce,
  type SettledWrite,
  settledWritesOf,
} from './settled-writes.ts'

/** Somebody who has everything there is. */
export interface AudienceMember {
  /**
   * The transaction may concern it.
   * @param writes all that comes of it, where it moved none of the sets that are asked; null where its loop has to find out
   */
  concern(transaction: StreamTransaction, writes: readonly SettledWrite[] | null): void
}

/** Changes that one turn judges at once, of all audiences: of what is more each member of a small one finds out for itself, in turns. */
const JUDGED_A_TURN = 2_000
/** A larger audience is never put off: each member would read and judge what one judgement settles for all, and has to catch up with it. */
const SMALL_MAX = 10

/** The audiences of one bus. */
export class RelatedAudiences {
  readonly #known = new Map<string, RelatedAudience>()
  readonly #judging: TurnCount

  constructor(timers: Pick<SliceTimers, 'soon'> = NODE_TIMERS) {
    this.#judging = new TurnCount(timers, JUDGED_A_TURN)
  }

  /** Adds a member; what is returned takes it out again. */
  join(graph: SetGraph, asked: AskedWrites, member: AudienceMember): () => void {
    const key = audienceOf(asked)
    const known = key === null ? undefined : this.#known.get(key)
    const audience = known?.asks(graph) === true ? known : new RelatedAudience(graph, asked, this.#judging)
    if (key !== null) this.#known.set(key, audience)
    audience.add(member)
    return () => {
      if (audience.delete(member) && key !== null && this.#known.get(key) === audience)
        this.#known.delete(key)
    }
  }
}

class RelatedAudience implements SetWatcher {
  readonly #graph: SetGraph
  readonly #asked: AskedWrites
  readonly #held: HeldSets
  readonly #judging: TurnCount
  /** Null before the first transaction that finds the sets settled. */
  #live: LiveRows | null = null
  #members: Bucket<AudienceMember> | undefined

  constructor(graph: SetGraph, asked: AskedWrites, judging: TurnCount) {
    this.#graph = graph
    this.#judging = judging
    this.#asked = asked
    this.#held = graph.hold(conditionsOf(asked.filter))
    this.#held.watch({ watcher: this, filters: new Map([[asked.model, asked.filter]]) })
  }

  /** Whether its sets are those that whoever comes now has of the graph: none of them has ended. */
  asks(graph: SetGraph): boolean {
    return graph === this.#graph && this.#held.areKept()
  }

  add(member: AudienceMember): void {
    this.#members = withItem(this.#members, member)
  }

  /** Whether it was the last one. */
  delete(member: AudienceMember): boolean {
    this.#members = withoutItem(this.#members, member)
    if (this.#members !== undefined) return false
    this.#held.release()
    return true
  }

  concern(transaction: StreamTransaction): void {
    const writes = this.#writesOf(transaction)
    callAll(itemsOf(this.#members), (member) => member.concern(transaction, writes))
  }

  #writesOf(transaction: StreamTransaction): readonly SettledWrite[] | null {
    if (!this.#held.isSettled()) return null
    const { model, filter } = this.#asked
    const count = judgedAtOnce(transaction, model)
    if (count === null) return null
    if (this.#judging.isOver(count) && sizeOf(this.#members) <= SMALL_MAX) return null
    this.#live ??= new LiveRows(model, filter, this.#held.get)
    return settledWritesOf(transaction, this.#asked, this.#live)
  }
}
