/**
 * Beside the spine, sets. Pages that have been read, for whoever asks for the same a moment later: a thousand clients that come at once come
 * one after the other. What they hold has a bound, and none is kept for long.
 */
import type { Guard } from '../guard.ts'

/** How much is kept. */
export interface KeptPagesBounds<Page> {
  readonly ms: number
  readonly bytesMax: number
  readonly bytesOf: (page: Page) => number
  readonly guard: Pick<Guard, 'wrap'>
}

/** What an entry takes beside its key and its rows. */
const ENTRY_BYTES = 1024

interface KeptPage<Page> {
  readonly page: Page
  readonly bytes: number
  /** See `PageReads.begun`. */
  readonly number: number
  readonly untilMs: number
}

/** Those of one process, by key, in the order in which they were read. */
export class KeptPages<Page> {
  readonly #bounds: KeptPagesBounds<Page>
  readonly #now: () => number
  readonly #pages = new Map<string, KeptPage<Page>>()
  #bytes = 0
  #timer: NodeJS.Timeout | null = null

  constructor(bounds: KeptPagesBounds<Page>, now: () => number) {
    this.#bounds = bounds
    this.#now = now
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The page, if its read began after that many. */
  find(key: string, since: number): Page | undefined {
    this.#letGo()
    const kept = this.#pages.get(key)
    return kept !== undefined && kept.number > since ? kept.page : undefined
  }

  /** Keeps it, and lets go of the oldest where there is no room. */
  keep(key: string, number: number, page: Page): void {
    this.#forget(key)
    const { ms, bytesMax, bytesOf } = this.#bounds
    // Whoever asks writes the key: many that find nothing are as heavy as what they ask with.
    const bytes = bytesOf(page) + 2 * key.length + ENTRY_BYTES
    if (bytes > bytesMax) return
    this.#pages.set(key, { page, number, bytes, untilMs: this.#now() + ms })
    this.#bytes += bytes
    this.#letGo()
    this.#timer ??= this.#later()
  }

  #letGo(): void {
    const nowMs = this.#now()
    for (const [key, { untilMs }] of this.#pages) {
      if (this.#bytes <= this.#bounds.bytesMax && untilMs > nowMs) return
      this.#forget(key)
    }
  }

  #forget(key: string): void {
    const kept = this.#pages.get(key)
    if (kept === undefined) return
    this.#pages.delete(key)
    this.#bytes -= kept.bytes
  }

  /** Whoever comes lets go of what is too old; where nobody comes, this does. */
  #later(): NodeJS.Timeout {
    const { guard, ms } = this.#bounds
    const letGo = guard.wrap('let go of pages', () => {
      this.#letGo()
      this.#timer = this.#pages.size === 0 ? null : this.#later()
    })
    return setTimeout(letGo, ms).unref()
  }
}
