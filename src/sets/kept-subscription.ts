/**
 * Beside the spine, sets. One subscription to what is kept for many. Whoever leaves too much waiting gets it whole once more, instead of all the
 * steps on the way: nothing is lost, and nothing grows.
 */
import { DONE, SerialIteration } from '../async-iteration.ts'
import type { DeliveryPull, DeliveryReader } from '../bus/bus.ts'
import { onAborted } from '../wire/shared-listener.ts'
import type { KeptPatch, PatchHolder, UntakenPatches } from './untaken-patches.ts'

/** Patches that may wait. */
const WAITING_MAX = 256

/** Where it is at home. */
export interface KeptHome<Event> {
  /** What there is, whole; null where that is not known yet: then it is given. */
  readonly snapshot: () => Event | null
  readonly leave: () => void
  readonly untaken: UntakenPatches
}

export class KeptSubscription<Event>
  extends SerialIteration<Event>
  implements PatchHolder, DeliveryPull<Event>
{
  reader: DeliveryReader | null = null
  readonly #home: KeptHome<Event>
  #waiting: KeptPatch<Event>[] = []
  /** What was given to whoever waited for it. */
  #whole: Event | null = null
  /** What comes next is the whole. */
  #needsWhole = true
  #end: { readonly error: unknown } | 'normal' | null = null
  #wakeReader: () => void = () => {}
  #forgetSignal = (): void => {}
  #onLeft = (): void => {}

  constructor(home: KeptHome<Event>) {
    super()
    this.#home = home
  }

  get pull(): this {
    return this
  }

  get isEnded(): boolean {
    return this.#end !== null
  }

  take(): Event | undefined {
    return this.#take() ?? undefined
  }

  #wake(): void {
    this.#wakeReader()
    this.reader?.onReadable()
  }

  /** The signal ends it. */
  endOn(signal: AbortSignal): void {
    this.#forgetSignal = onAborted(signal, () => void this.return())
  }

  /** Called when its subscriber leaves, however often he says so. */
  whenLeft(onLeft: () => void): void {
    this.#onLeft = onLeft
  }

  /** A patch; for whoever waits for the whole, it is part of that. */
  offer(patch: KeptPatch<Event>): void {
    if (this.#needsWhole || this.#end !== null) return
    this.#waiting.push(patch)
    this.#home.untaken.hold(patch, this)
    if (this.#waiting.length > WAITING_MAX) this.letGo()
    this.#wake()
  }

  letGo(): void {
    this.#forgetPatches()
    this.#whole = null
    this.#needsWhole = true
  }

  /** Instead of a patch. */
  giveWhole(): void {
    if (this.#end !== null) return
    this.letGo()
    this.#wake()
  }

  #forgetPatches(): void {
    for (const patch of this.#waiting) this.#home.untaken.release(patch, this)
    this.#waiting = []
  }

  /** The whole, for whoever waits for it. */
  give(whole: Event): void {
    if (!this.#needsWhole || this.#end !== null) return
    this.#needsWhole = false
    this.#whole = whole
    this.#wake()
  }

  /** Nothing comes any more; with an error where one ended it. */
  end(failure: { readonly error: unknown } | null): void {
    this.#end ??= failure ?? 'normal'
    this.#forgetSignal()
    this.#wake()
  }

  return(): Promise<IteratorResult<Event>> {
    this.#forgetPatches()
    this.#whole = null
    this.#needsWhole = false
    this.#end = 'normal'
    this.#forgetSignal()
    this.#home.leave()
    this.#onLeft()
    this.#wake()
    return Promise.resolve(DONE)
  }

  protected async following(): Promise<IteratorResult<Event>> {
    for (;;) {
      const event = this.#take()
      if (event !== null) return { done: false, value: event }
      if (this.#end === 'normal') return DONE
      if (this.#end !== null) {
        const { error } = this.#end
        this.#end = 'normal'
        throw error
      }
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve
      })
    }
  }

  #take(): Event | null {
    if (this.#needsWhole) {
      const whole = this.#home.snapshot()
      if (whole !== null) this.#needsWhole = false
      return whole
    }
    if (this.#whole !== null) {
      const whole = this.#whole
      this.#whole = null
      return whole
    }
    const patch = this.#waiting.shift()
    if (patch === undefined) return null
    this.#home.untaken.release(patch, this)
    return patch.event
  }
}
