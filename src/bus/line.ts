/** Stage 6, bus. Those who wait, in order: whoever came first is taken first, however many there are. */

/** The line. */
export class Line<Waiting> {
  #waiting: Waiting[] = []
  #head = 0

  get length(): number {
    return this.#waiting.length - this.#head
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting)
  }

  shift(): Waiting | undefined {
    const first = this.#waiting[this.#head]
    this.#head += 1
    if (this.#head >= this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    }
    return first
  }
}
