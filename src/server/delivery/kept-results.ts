/** Stage 8, server. Results that are there for others who get the same, within a bound in bytes. */
import type { Guard } from '../../guard.ts'
import { type DeliveryResult, ResultText } from './result-text.ts'

/** A result that is there for members to come. */
export interface Kept {
  readonly result: DeliveryResult | Promise<DeliveryResult>
  /** Of the change, which is there as long. */
  readonly rowBytes: number
  readonly forget: () => void
}

/** What is needed to keep some. */
export interface KeptResultsOptions {
  /** Whether members are about to take what is there. */
  readonly isBusy: () => boolean
  readonly guard: Guard
  /** What results may take that wait for members that have not come yet; beyond it they are recreated. */
  readonly keptBytesMax: number
}

/** What a result that is kept takes beside its text and the images of its change: objects, and what finds it. */
const RESULT_BYTES = 1024
/** Its text is there as characters and as bytes. */
const TEXT_FACTOR = 2

/**
 * The results of all groups, for as long as members may still come for them: until all that were notified of a change
 * have had their turn. A member that comes later has been too slow for the others, and makes its own.
 */
export class KeptResults {
  #settled: Kept[] = []
  #bytes = 0
  /** Of those that are held until they are let go of. */
  #heldBytes = 0
  #turn: NodeJS.Immediate | null = null
  readonly #bytesMax: number
  readonly #isBusy: () => boolean
  readonly #onTurn: () => void
  readonly #settleLater: (kept: Kept, result: Promise<DeliveryResult>) => void

  constructor({ isBusy, guard, keptBytesMax }: KeptResultsOptions) {
    this.#bytesMax = keptBytesMax
    this.#isBusy = isBusy
    this.#onTurn = guard.wrap('end a turn', () => this.#endTurn())
    // One that could not be kept is recreated by whoever comes.
    this.#settleLater = guard.wrap(
      'keep a result',
      async (kept: Kept, result: Promise<DeliveryResult>) => this.#settle(kept, await result),
      (_, { forget }) => forget(),
    )
  }

  add(kept: Kept): void {
    const { result } = kept
    if (result instanceof Promise) this.#settleLater(kept, result)
    else this.#settle(kept, result)
  }

  /**
   * Keeps one that is there until it is let go of, and from then on as long as any other; those together take half of the room at the most.
   * @returns lets go of it; null where there is no room: then it is like any other
   */
  hold(kept: Kept): (() => void) | null {
    const bytes = bytesOf(kept)
    if (this.#heldBytes + bytes > this.#bytesMax / 2) {
      this.add(kept)
      return null
    }
    this.#heldBytes += bytes
    return () => {
      this.#heldBytes -= bytes
      this.add(kept)
    }
  }

  #settle(kept: Kept, result: DeliveryResult): void {
    this.#bytes += bytesOf({ ...kept, result })
    this.#settled.push(kept)
    if (this.#bytes + this.#heldBytes > this.#bytesMax) this.#forgetSettled()
    else this.#turn ??= setImmediate(this.#onTurn)
  }

  #endTurn(): void {
    this.#turn = null
    if (this.#isBusy()) this.#turn = setImmediate(this.#onTurn)
    else this.#forgetSettled()
  }

  #forgetSettled(): void {
    for (const kept of this.#settled) kept.forget()
    this.#settled = []
    this.#bytes = 0
  }
}

function bytesOf({ result, rowBytes }: Kept): number {
  const textBytes = result instanceof ResultText ? result.text.length * TEXT_FACTOR : 0
  return RESULT_BYTES + rowBytes + textBytes
}
