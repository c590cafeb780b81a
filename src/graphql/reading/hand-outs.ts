/**
 * Stage 7, graphql. When operations get the rows that were read for many of them together: what each makes of them takes a while,
 * and the answers of all would be one turn of the event loop. Those of one operation come together: what it asks for next is one
 * statement, too.
 */
import { TurnShare } from '../../bus/turn-share.ts'
import { createGuard } from '../../guard.ts'
import { silentLogger } from '../../logger.ts'

/** What it runs settles promises, and throws nothing. */
const guard = createGuard(silentLogger)

/** Hands out rows, to one operation after the other. */
export class HandOuts {
  readonly #turns = new TurnShare({ guard, isOneByOne: true })
  readonly #waiting = new Map<object, (() => void)[]>()
  readonly #giveLater = guard.wrap('hand out rows', (operation: object, gives: readonly (() => void)[]) =>
    this.#giveAll(operation, gives),
  )

  /** @param operation undefined where it is for nobody in particular: then at once @param give settles a promise */
  add(operation: object | undefined, give: () => void): void {
    if (operation === undefined) {
      give()
      return
    }
    const known = this.#waiting.get(operation)
    if (known !== undefined) {
      known.push(give)
      return
    }
    const gives = [give]
    this.#waiting.set(operation, gives)
    this.#giveLater(operation, gives)
  }

  async #giveAll(operation: object, gives: readonly (() => void)[]): Promise<void> {
    await this.#turns.wait()
    this.#waiting.delete(operation)
    for (const give of gives) give()
  }
}
