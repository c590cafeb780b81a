/** Stage 5, source. The wait between two attempts, which may end early. */

/** One at a time. */
export class WakeableWait {
  #wake: (() => void) | null = null

  /** Resolves after so many milliseconds, or with `wake()`. */
  async during(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }

  /** Ends the wait, if there is one. */
  wake(): void {
    this.#wake?.()
  }
}
