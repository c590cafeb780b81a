/**
 * Stage 7, graphql. What has happened lately, for the live page: the last changes of all live models, how many there
 * were of each kind, and how far behind the stream was, second by second. Bounded; kept while a page may ask.
 */
import type { AnyChange, ChangeAction, ChangePosition } from '../../changes/change.ts'
import { comparePositions, isSameOrigin } from '../../changes/cursor.ts'
import { isRowcastError, type RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import type { SourceStatus } from '../../source/replication-source.ts'
import type { ChangeFeed } from '../change-feed.ts'

/** What the log asks of a rowcast. */
export interface ActivitySource {
  readonly guard: Guard
  readonly feed: ChangeFeed
  /** The live models. */
  readonly models: readonly string[]
  readonly status: () => SourceStatus & {
    readonly drifted: readonly { readonly model: string; readonly error: RowcastError }[]
    /** Open subscriptions by model. */
    readonly subscriptions: ReadonlyMap<string, number>
  }
  /** @default 1_000 // 1 s */
  readonly sampleIntervalMs?: number | undefined
}

/** One second. */
export interface ActivitySample {
  readonly sequence: number
  readonly at: Date
  /** WAL written and not read yet, in bytes. */
  readonly lagBytes: number
  /** The longest way from a commit to here, in milliseconds; null where nothing came. */
  readonly delayMs: number | null
  /** Changes of all models. */
  readonly changes: number
}

/** A change and its number since the start. */
export interface LoggedChange {
  readonly sequence: number
  readonly change: AnyChange
}

/** What came since a follower last looked, oldest first. */
export interface ActivityNews {
  readonly changes: readonly LoggedChange[]
  /** Changes that came as well and are no longer kept. */
  readonly skipped: number
  readonly samples: readonly ActivitySample[]
}

/** Counts of one model since the start. */
export interface ModelActivity {
  readonly counts: Readonly<Record<ChangeAction, number>>
  /** Over the last ten seconds. */
  readonly perSecond: number
  /** Open subscriptions. */
  readonly subscriptions: number
  /** When its last change was committed; null before the first since the start. */
  readonly lastChangeAt: Date | null
}

/** The log while it lives. */
export interface ActivityLog {
  readonly source: ActivitySource
  readonly startedAt: Date
  start(): void
  stop(): void
  of(model: string): ModelActivity
  /** What is kept, at once; then what is new, second by second. One that is slow skips, and nothing waits for it. */
  follow(): AsyncIterableIterator<ActivityNews>
}

/** Whether the viewer with this GraphQL context may see status and activity. */
export type Authorize = (context: object) => boolean | Promise<boolean>

/** The page's part of a schema. */
export interface ActivityExposure {
  readonly log: ActivityLog
  /** Null lets everybody see it who is let in: on a developer's machine. */
  readonly authorize: Authorize | null
}

const CHANGES_KEPT = 100
/** Five minutes. */
const SAMPLES_KEPT = 300
/** Seconds that a rate is taken over. */
const RATE_SAMPLES = 10

/** One model on its way. */
interface Watched {
  readonly counts: Record<ChangeAction, number>
  /** Changes of each of the last seconds, the running one last. */
  readonly recent: number[]
  lastChangeAt: Date | null
}

/** Creates a log; it sees nothing before `start()`. */
export function createActivityLog(source: ActivitySource): ActivityLog {
  return new Log(source)
}

class Log implements ActivityLog {
  readonly source: ActivitySource
  readonly startedAt = new Date()
  readonly #intervalMs: number
  readonly #models: ReadonlyMap<string, Watched>
  readonly #changes: LoggedChange[] = []
  readonly #samples: ActivitySample[] = []
  readonly #ending = new AbortController()
  readonly #waiting = new Set<() => void>()
  #changeSequence = 0
  #sampleSequence = 0
  #sampledChanges = 0
  #delayMs: number | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(source: ActivitySource) {
    this.source = source
    this.#intervalMs = source.sampleIntervalMs ?? 1_000
    this.#models = new Map(source.models.map((model) => [model, newWatched()]))
  }

  start(): void {
    if (this.#timer !== null) return
    const { guard } = this.source
    for (const [model, watched] of this.#models)
      guard.run('watch a model for the live page', () => this.#watch(model, watched))
    this.#timer = setInterval(
      guard.wrap('count for the live page', () => this.#tick()),
      this.#intervalMs,
    )
    this.#timer.unref()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#ending.abort()
    this.#wakeAll()
  }

  of(model: string): ModelActivity {
    const { counts, recent, lastChangeAt } = this.#models.get(model) ?? newWatched()
    const whole = recent.slice(0, -1)
    const sum = whole.reduce((total, count) => total + count, 0)
    const seconds = (Math.max(whole.length, 1) * this.#intervalMs) / 1_000
    const subscriptions = this.source.status().subscriptions.get(model) ?? 0
    return { counts, perSecond: sum / seconds, subscriptions, lastChangeAt }
  }

  async *follow(): AsyncGenerator<ActivityNews> {
    let seenChange = 0
    let seenSample = 0
    for (let isFirst = true; !this.#ending.signal.aborted; isFirst = false) {
      if (!isFirst) await this.#nextTick()
      const [changeSeen, sampleSeen] = [this.#changeSequence, this.#sampleSequence]
      const changes = this.#changes.filter(({ sequence }) => sequence > seenChange)
      // What had gone before this follower came is not missed by it.
      const skipped = isFirst ? 0 : changeSeen - seenChange - changes.length
      yield { changes, skipped, samples: this.#samples.filter(({ sequence }) => sequence > seenSample) }
      seenChange = changeSeen
      seenSample = sampleSeen
    }
  }

  #note(watched: Watched, change: AnyChange): void {
    watched.counts[change.action] += 1
    watched.lastChangeAt = change.transaction.committedAt
    watched.recent[watched.recent.length - 1] = (watched.recent.at(-1) ?? 0) + 1
    this.#changeSequence += 1
    const position = positionOf(change)
    // Subscriptions of two models take turns of their own; people want the order of commits. Mostly it is the last one.
    let at = this.#changes.length
    for (let before = at - 1; before >= 0; before -= 1) {
      const logged = (this.#changes[before] as LoggedChange).change
      // Positions of two databases do not compare.
      if (!isSameOrigin(logged.transaction.origin, change.transaction.origin)) continue
      if (comparePositions(positionOf(logged), position) <= 0) break
      at = before
    }
    this.#changes.splice(at, 0, { sequence: this.#changeSequence, change: change.fresh() })
    if (this.#changes.length > CHANGES_KEPT) this.#changes.shift()
    // Clocks of two machines may differ; nothing arrives before it was sent.
    const wayMs = Math.max(0, Date.now() - change.transaction.committedAt.getTime())
    this.#delayMs = Math.max(this.#delayMs ?? 0, wayMs)
  }

  /** Until the log stops; whatever ends a subscription, the next one begins. */
  async #watch(model: string, watched: Watched): Promise<void> {
    const { signal } = this.#ending
    let after: string | undefined
    while (!signal.aborted) {
      try {
        const request = { model, after, isObserver: true, signal }
        const deliveries = this.source.feed.subscribeDeliveries(request)
        for await (const { change } of deliveries) this.#note(watched, change)
      } catch (error) {
        if (!isRowcastError(error)) this.source.guard.report('watch a model for the live page', error)
        after = cursorAfter(error)
      }
      await this.#nextTick()
    }
  }

  #tick(): void {
    const { lagBytes } = this.source.status().positions
    this.#sampleSequence += 1
    const changes = this.#changeSequence - this.#sampledChanges
    const [sequence, delayMs] = [this.#sampleSequence, this.#delayMs]
    this.#samples.push({ sequence, at: new Date(), lagBytes, delayMs, changes })
    if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift()
    this.#sampledChanges = this.#changeSequence
    this.#delayMs = null
    for (const { recent } of this.#models.values()) {
      recent.push(0)
      if (recent.length > RATE_SAMPLES + 1) recent.shift()
    }
    this.#wakeAll()
  }

  #wakeAll(): void {
    const woken = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of woken) wake()
  }

  #nextTick(): Promise<void> {
    if (this.#ending.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.add(resolve))
  }
}

function positionOf({ transaction, index }: AnyChange): ChangePosition {
  return { commitLsn: transaction.commitLsn, index }
}

function newWatched(): Watched {
  const counts = { INSERT: 0, UPDATE: 0, DELETE: 0, TRUNCATE: 0 }
  return { counts, recent: [0], lastChangeAt: null }
}

/** Where to go on: a transaction of a hundred thousand changes is too much for a queue, and not for the log. */
function cursorAfter(error: unknown): string | undefined {
  if (!isRowcastError(error) || error.code !== 'SUBSCRIBER_TOO_SLOW') return undefined
  const { cursor } = error.details
  return typeof cursor === 'string' ? cursor : undefined
}
