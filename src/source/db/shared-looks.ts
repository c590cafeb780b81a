/**
 * Stage 5, source. Looks at the database that many ask for at once: each has an answer that was asked for after it came, and however many
 * come, one look is made after the other.
 */

/** A look that takes longer than this is not waited for by the next. */
const LOOK_PATIENCE_MS = 250

/** Those of one kind. */
export class SharedLooks<Seen> {
  readonly #read: () => Promise<Seen>
  /** The latest that has begun and is not over. */
  #running: { readonly look: Promise<Seen>; readonly over: Promise<unknown> } | null = null
  /** The one that begins next, for all who ask until then. */
  #next: Promise<Seen> | null = null

  constructor(read: () => Promise<Seen>) {
    this.#read = read
  }

  /** The latest that has begun, for whom that is good enough; null where none has. */
  get running(): Promise<Seen> | null {
    return this.#running?.look ?? null
  }

  /** One that begins after the call. */
  look(): Promise<Seen> {
    if (this.#next !== null) return this.#next
    if (this.#running === null) return this.#begin()
    this.#next = soonAfter(this.#running.over).then(() => {
      this.#next = null
      return this.#begin()
    })
    return this.#next
  }

  #begin(): Promise<Seen> {
    const look = this.#read()
    const over = look.then(ignore, ignore).then(() => {
      if (this.#running?.look === look) this.#running = null
    })
    this.#running = { look, over }
    return look
  }
}

/** Resolves when that is over, or after a while: what hangs holds up nobody else. */
async function soonAfter(over: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, LOOK_PATIENCE_MS)
  })
  await Promise.race([over, patience])
  clearTimeout(timer)
}

function ignore(): void {}
