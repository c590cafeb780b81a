/** What a contender of the drain is asked, and what it answers. */

/** A backlog to drain. */
export interface DrainRequest {
  readonly url: string
  readonly slot: string
  /** Changes in the backlog. */
  readonly changes: number
  /**
   * `read` hands typed changes to a subscriber that reads every field of `new` and `old`; `take` to one that
   * only counts them; `idle` has no subscriber at all.
   */
  readonly mode: 'read' | 'take' | 'idle'
  /** Subscribers that drain it, rowcast only. @default 1 */
  readonly subscribers?: number
  /** Fields of the model, the key among them; the table's other columns are no one's. Rowcast only. @default all */
  readonly fields?: number
}

/** How it went. */
export interface DrainAnswer {
  /** From asking to connect to the last change. */
  readonly wallMs: number
  /** User and system time of the process meanwhile. */
  readonly cpuMs: number
  /** Highest resident set meanwhile, above the one before. */
  readonly rssGrowthBytes: number
}

/** Measures what `drain` does. */
export async function measureDrain(drain: () => Promise<void>): Promise<DrainAnswer> {
  const rssBefore = process.memoryUsage.rss()
  let rssMax = rssBefore
  const timer = setInterval(() => {
    rssMax = Math.max(rssMax, process.memoryUsage.rss())
  }, 50)
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  await drain()
  const wallMs = performance.now() - startedMs
  const { user, system } = process.cpuUsage(cpuBefore)
  clearInterval(timer)
  rssMax = Math.max(rssMax, process.memoryUsage.rss())
  return { wallMs, cpuMs: (user + system) / 1_000, rssGrowthBytes: rssMax - rssBefore }
}
