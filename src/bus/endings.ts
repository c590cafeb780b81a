/**
 * Stage 6, bus. What ends subscriptions as they come: the end of the bus, another process that has the changes, or a change of
 * their model that cannot be sent.
 */
import { RowcastError } from '../errors.ts'
import { serverStandingBy } from './server-stopping.ts'

/** Makes the end of one subscription, of the cursor to go on after. */
export type EndOf = (cursor: string | null) => Error

/** What a bus knows of it. */
export class Endings {
  #farewell: EndOf | null = null
  #isAside = false
  #held: ReadonlyMap<string, RowcastError> = new Map()

  /** Nothing comes any more. */
  stop(endOf: EndOf): void {
    this.#farewell = endOf
  }

  /** Nothing comes as long as another process has the changes. */
  standAside(isAside: boolean): void {
    this.#isAside = isAside
  }

  /** Changes of these models wait, and of no others. */
  hold(models: ReadonlyMap<string, RowcastError>): void {
    this.#held = models
  }

  /** How a subscription of the model ends; null: it does not. Who only observes has nowhere else to go. */
  of(model: string, isObserver = false): EndOf | null {
    if (this.#farewell !== null) return this.#farewell
    if (this.#isAside && !isObserver) return serverStandingBy
    const held = this.#held.get(model)
    return held === undefined ? null : (cursor) => withCursor(held, cursor)
  }
}

function withCursor({ code, happened, hint, details }: RowcastError, cursor: string | null): RowcastError {
  return new RowcastError(code, happened, { hint, details: { ...details, cursor } })
}
