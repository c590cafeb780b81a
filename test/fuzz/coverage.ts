/** Which blocks of our code have run, as V8 counts them. Source: Chrome DevTools Protocol, Profiler.takePreciseCoverage. */
import { Session } from 'node:inspector/promises'

interface Counted {
  readonly result: readonly {
    readonly url: string
    readonly functions: readonly {
      readonly ranges: readonly {
        readonly startOffset: number
        readonly endOffset: number
        readonly count: number
      }[]
    }[]
  }[]
}

/** Coverage of the files whose address contains a text. */
export class Coverage {
  readonly #session = new Session()
  readonly #part: string
  readonly #seen = new Set<string>()

  constructor(part: string) {
    this.#part = part
  }

  /** Blocks that have run so far. */
  get blocks(): number {
    return this.#seen.size
  }

  async start(): Promise<void> {
    this.#session.connect()
    await this.#session.post('Profiler.enable')
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** How many blocks have run since the last look that never had before. @param isKept whether they count as seen from now on */
  async look(isKept: boolean): Promise<number> {
    const { result } = (await this.#session.post('Profiler.takePreciseCoverage')) as Counted
    let news = 0
    for (const { url, functions } of result) {
      if (!url.includes(this.#part)) continue
      for (const { ranges } of functions)
        for (const { startOffset, endOffset, count } of ranges) {
          const block = `${url} ${startOffset} ${endOffset}`
          if (count === 0 || this.#seen.has(block)) continue
          news += 1
          if (isKept) this.#seen.add(block)
        }
    }
    return news
  }
}
