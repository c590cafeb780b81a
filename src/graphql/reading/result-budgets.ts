/**
 * Stage 7, graphql. What the images of one result read together: an event may have one, as that of a change has, or hundreds, as a live list
 * and a transaction have, and each has reads of its own.
 */
import { ResultBudget } from './read-pool.ts'

/** A result that is being made. */
interface RunningResult {
  readonly budget: ResultBudget
  readonly images: WeakSet<object>
}

/** By the context of the subscription, and by the event that the result is of. */
const running = new WeakMap<object, Map<unknown, RunningResult>>()

/** From now on what is read for the images of this event is one result's. Returns what ends it. */
export function beginResult(context: unknown, event: unknown): () => void {
  if (typeof context !== 'object' || context === null) return () => undefined
  const results = running.get(context) ?? new Map<unknown, RunningResult>()
  running.set(context, results)
  const result: RunningResult = { budget: new ResultBudget(), images: new WeakSet() }
  results.set(event, result)
  return () => {
    if (results.get(event) === result) results.delete(event)
  }
}

/** Notes that the event's result has the row in it. */
export function noteImage(context: object, event: unknown, row: object): void {
  running.get(context)?.get(event)?.images.add(row)
}

/** What may be read for the row; undefined where nobody has begun its result: then it is one of its own. */
export function budgetOfImage(context: object, row: object): ResultBudget | undefined {
  for (const { images, budget } of running.get(context)?.values() ?? []) if (images.has(row)) return budget
  return undefined
}
