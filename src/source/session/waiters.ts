/** Stage 5, source. Those who wait for a condition, asked again whenever something may have changed. */

/** Who waits, and for what. */
export class Waiters {
  readonly #conditions = new Map<() => void, () => boolean>()

  /** Resolves once the condition holds, at once where it does already. */
  when(isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#conditions.set(resolve, isMet)
      this.settle()
    })
  }

  /** Something may have changed. */
  settle(): void {
    for (const [resolve, isMet] of this.#conditions) {
      if (!isMet()) continue
      this.#conditions.delete(resolve)
      resolve()
    }
  }
}
