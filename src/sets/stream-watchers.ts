/** Sets, between stages 6 and 7. Those who see the stream before anybody is given anything of it. */
import type { TransactionPart } from '../changes/change.ts'
import { isSameOrigin, type StreamOrigin } from '../changes/cursor.ts'
import type { Guard } from '../guard.ts'

export interface StreamWatcher {
  onPart(part: TransactionPart): void
  /** Changes may be missing: of this model, or of any. */
  onLost(model: string | null): void
  /** What comes from now on is of another server; `onLost` has come before it, or comes with it. */
  onTakenOver(): void
}

export class StreamWatchers {
  readonly #guard: Guard
  readonly #watchers = new Set<StreamWatcher>()
  /** Where the last stream came from. */
  #origin: StreamOrigin | null = null
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
    this.#each((watcher) => watcher.onLost(model))
  }

  /** A stream begins, behind a gap or none. */
  onOpened(origin: StreamOrigin): void {
    const before = this.#origin
    this.#origin = origin
    if (before !== null && !isSameOrigin(before, origin)) this.#each((watcher) => watcher.onTakenOver())
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
