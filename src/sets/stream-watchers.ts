/** Sets, between stages 6 and 7. Those who see the stream before anybody is given anything of it. */
import type { TransactionPart } from '../changes/change.ts'
import { isSameOrigin, type StreamOrigin } from '../changes/cursor.ts'
import type { Guard } from '../guard.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'

export interface StreamWatcher {
  onPart(part: TransactionPart): void
  /** Changes may be missing: of this model, or of any. */
  onLost(model: string | null): void
  /** Commits from `lsn` on are of a server that is read no more, and may be seen by nobody; `onLost` has come before it, or comes with it. */
  onRewound(lsn: Lsn): void
}

/** A stream, as it begins. */
interface WatchedStart extends StreamOrigin {
  /** Where the server is then. */
  readonly serverLsn: Lsn
}

export class StreamWatchers {
  readonly #guard: Guard
  readonly #watchers = new Set<StreamWatcher>()
  /** Where the last stream came from. */
  #origin: StreamOrigin | null = null
  /** Whether changes may be missing since that one began. */
  #isBehindGap = false
  #held: ReadonlyMap<string, unknown> = new Map()

  constructor(guard: Guard) {
    this.#guard = guard
  }

  /** For good. */
  add(watcher: StreamWatcher): void {
    this.#watchers.add(watcher)
  }

  onPart(part: TransactionPart): void {
    this.#each((watcher) => watcher.onPart(part))
  }

  onLost(model: string | null): void {
    if (model === null) this.#isBehindGap = true
    this.#each((watcher) => watcher.onLost(model))
  }

  /** A stream begins. Behind a gap the server may have been restored: what has come beyond its position, it does not have. */
  onOpened(start: WatchedStart): void {
    const { serverLsn, ...origin } = start
    const before = this.#origin
    const isRewound = this.#isBehindGap
    this.#origin = origin
    this.#isBehindGap = false
    if (before === null) return
    if (!isSameOrigin(before, origin)) this.#each((watcher) => watcher.onRewound(LSN_ZERO))
    else if (isRewound) this.#each((watcher) => watcher.onRewound(serverLsn))
  }

  /** Changes of these models wait, and of no others. */
  onHeld(models: ReadonlyMap<string, unknown>): void {
    this.#held = models
    for (const model of models.keys()) this.onLost(model)
  }

  /** Whether changes of the model wait. */
  isHeld(model: string): boolean {
    return this.#held.has(model)
  }

  /** What one of them fails at, it has missed. */
  #each(call: (watcher: StreamWatcher) => void): void {
    for (const watcher of this.#watchers) {
      const onFailure = () => watcher.onLost(null)
      this.#guard.run('watch the stream', () => call(watcher), onFailure)
    }
  }
}
