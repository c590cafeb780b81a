/** Stage 8, server. A cache that is bounded by what its entries weigh; what was used least recently goes first. */

/** What a cache is bounded by. */
export interface WeighedCacheOptions<Value> {
  /** All entries together. */
  readonly bytesMax: number
  /** What an entry takes, in bytes, by estimate. */
  readonly weigh: (key: string, value: Value) => number
}

/** Entries by text. */
export class WeighedCache<Value> {
  readonly #options: WeighedCacheOptions<Value>
  /** In the order of their last use. */
  readonly #entries = new Map<string, { readonly value: Value; readonly bytes: number }>()
  #bytes = 0

  constructor(options: WeighedCacheOptions<Value>) {
    this.#options = options
  }

  /** What is kept weighs so much. */
  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** Keeps an entry, unless it is heavier than all may be. */
  set(key: string, value: Value): void {
    this.delete(key)
    const bytes = this.#options.weigh(key, value)
    if (bytes > this.#options.bytesMax) return
    this.#entries.set(key, { value, bytes })
    this.#bytes += bytes
    for (const [oldest] of this.#entries) {
      if (this.#bytes <= this.#options.bytesMax) return
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
  }
}
