/**
 * Stage 7, graphql. When operations get the rows that were read for many of them together: what each makes of them takes a while,
 * and the answers of all would be one turn of the event loop. Those of one operation come together, as far as they are few: what it
 * asks for next is one statement, too.
 */
import { TurnShare } from '../../bus/turn-share.ts'
import { createGuard } from '../../guard.ts'
import { silentLogger } from '../../logger.ts'
import type { OperationReads } from './read-pool.ts'

/** What it runs settles promises, and throws nothing. */
const guard = createGuard(silentLogger)

/** Bytes of rows that one operation is given in one go. */
const GIVEN_AT_ONCE = 128 * 1024

/** Lets others have their turn. */
export interface HandOutPace {
  /** Resolves when it may go on; null where that is at once. */
  pause(): Promise<void> | null
}

/** Rows for who asked for them. */
export interface HandOut {
  /** What they weigh. */
  readonly bytes: number
  /** Whether the operation has been charged for them; else there has to be room before they are given. */
  readonly isCharged: boolean
  /** Never rejects. */
  give(pace: HandOutPace): Promise<void>
  /** There is no room. */
  refuse(error: unknown): void
}

/** Rows that need no pace: for nobody in particular. */
const AT_ONCE: HandOutPace = { pause: () => null }

/** Hands out rows, to one operation after the other. */
export class HandOuts {
  readonly #turns: Pick<TurnShare, 'wait'>
  readonly #waiting = new Map<OperationReads, HandOut[]>()
  readonly #giveLater = guard.wrap('hand out rows', (operation: OperationReads, outs: readonly HandOut[]) =>
    this.#giveAll(operation, outs),
  )

  readonly #giveAtOnce = guard.wrap('hand out rows', (out: HandOut) => out.give(AT_ONCE))

  constructor(turns: Pick<TurnShare, 'wait'> = new TurnShare({ guard, isOneByOne: true })) {
    this.#turns = turns
  }

  /** @param operation undefined where it is for nobody in particular: then at once */
  add(operation: OperationReads | undefined, out: HandOut): void {
    if (operation === undefined) {
      this.#giveAtOnce(out)
      return
    }
    const known = this.#waiting.get(operation)
    if (known !== undefined) {
      known.push(out)
      return
    }
    const outs = [out]
    this.#waiting.set(operation, outs)
    this.#giveLater(operation, outs)
  }

  async #giveAll(operation: OperationReads, outs: readonly HandOut[]): Promise<void> {
    await this.#turns.wait()
    this.#waiting.delete(operation)
    const pace: HandOutPace = { pause: () => this.#turns.wait() }
    let bytes = 0
    for (const out of await this.#withRoom(operation, outs)) {
      if (bytes > GIVEN_AT_ONCE) {
        await pace.pause()
        bytes = 0
      }
      await out.give(pace)
      bytes += out.bytes
    }
  }

  /** Those that there is room for: all that the operation is not charged for yet waits for it together. */
  async #withRoom(operation: OperationReads, outs: readonly HandOut[]): Promise<readonly HandOut[]> {
    const uncharged = outs.filter(({ isCharged }) => !isCharged)
    if (uncharged.length === 0) return outs
    try {
      await operation.reserve(uncharged.reduce((sum, { bytes }) => sum + bytes, 0))
      // There was no room until somebody else was done: its turn is not theirs.
      await this.#turns.wait()
      // It may be over by now: no copies are made for nobody.
      operation.check()
      return outs
    } catch (error) {
      for (const { refuse } of uncharged) refuse(error)
      return outs.filter(({ isCharged }) => isCharged)
    }
  }
}
