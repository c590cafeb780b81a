/** Beside the spine, client. The changes of a subscription as they come, across lost connections: the latest of them, and how it stands with it. */
import { type ChangeClient, queryChangeCursor } from './change-client.ts'
import { Round } from './list-round.ts'
import type { LiveList, LiveListState } from './live-list-api.ts'
import { type ChangeFailure, type ResumableRequest, subscribeResumable } from './resumable-subscription.ts'
import { Shown } from './shown-state.ts'
import type { SubscriptionError } from './subscription-error.ts'
import { GrowingPauses, retryDelayMs, wait } from './wait.ts'

/** What is followed. */
export interface FollowedChangesOptions<Change extends object, Variables = never> {
  /** Of graphql-ws, with `retryAttempts: Infinity`, `retryWait` and `shouldRetry: () => true`; or of `createSseClient`. */
  readonly client: ChangeClient
  /** The subscription: one root field, `<model>Changed` or `changes(of:)`, that takes `after: $after` and selects `cursor`. */
  readonly request: ResumableRequest<FollowedChangesData<Change>, Variables>
  /** Called for each change, once, in order. */
  readonly onChange?: ((change: Change) => void) | undefined
  /**
   * Called where changes may be missing, one that could not be given among them: have again what was made of those before. It goes on with what comes after the
   * moment of the call. Without it the subscription ends with the error.
   */
  readonly onResync?: ((error: SubscriptionError) => Promise<void> | void) | undefined
  /** Called for each change that failed as a whole or in part. */
  readonly onFailure?: ((failure: ChangeFailure) => void) | undefined
  /** How many of the latest changes `state` has. @default 100 */
  readonly keep?: number | undefined
}

/** The data of its subscription: one root field. */
export interface FollowedChangesData<Change extends object> {
  readonly [changed: string]: Change | null
}

/** A moment of it; another object whenever something differs. `loading`: it is not known yet from where on changes will come. */
export interface FollowedChangesState<Change extends object>
  extends Pick<LiveListState<object>, 'status' | 'error'> {
  /** The latest, the newest last. */
  readonly changes: readonly Change[]
}

/** The changes while they are followed. */
export interface FollowedChanges<Change extends object> extends Pick<LiveList<object>, 'listen' | 'stop'> {
  readonly state: FollowedChangesState<Change>
}

const KEPT = 100
/** Before the application has everything again for the second time in a row it is twice the first: many changes that cannot be given may follow each other. */
const RESYNC_PAUSES = { firstMs: 500, maxMs: 30_000 }

/** Follows the changes from now on. */
export function followChanges<Change extends object, Variables = never>(
  options: FollowedChangesOptions<Change, Variables>,
): FollowedChanges<Change> {
  const follower = new ChangesFollower<Change>(options as FollowedChangesOptions<Change, never>)
  void follower.run()
  return follower
}

class ChangesFollower<Change extends object>
  extends Shown<FollowedChangesState<Change>>
  implements FollowedChanges<Change>
{
  readonly #options: FollowedChangesOptions<Change>
  readonly #resyncs = new GrowingPauses(RESYNC_PAUSES)
  /** What came with a field that failed. */
  #partial: { readonly change: Change; readonly error: SubscriptionError } | null = null

  constructor(options: FollowedChangesOptions<Change>) {
    super({ changes: [], status: 'loading', error: null })
    this.#options = options
  }

  async run(): Promise<void> {
    const { onResync } = this.#options
    const { signal } = this.ending
    try {
      let after: string | null = await this.#cursor()
      if (signal.aborted) return
      this.shown.change({ status: 'live', error: null })
      while (after !== null && !signal.aborted) {
        const missing = await this.#runRound(after)
        if (missing !== null && onResync === undefined) throw missing
        after = missing && onResync ? await this.#resync(missing, onResync) : null
      }
      this.end(null)
    } catch (error) {
      this.end(error)
    }
  }

  /** From a cursor on, until the server completes: null; or until a change could not be given: why. */
  async #runRound(after: string): Promise<SubscriptionError | null> {
    const { client, request, onResync, onFailure } = this.#options
    const round = new Round(this.ending.signal)
    const { signal } = round
    const failed: { missing: SubscriptionError | null; partly: SubscriptionError | null } = {
      ...{ missing: null, partly: null },
    }
    const events = subscribeResumable<FollowedChangesData<Change>>(client, request, {
      ...{ after, signal },
      onConnection: (isConnected) => this.#showConnection(isConnected),
      onFailure: ({ error, data }) => {
        if (signal.aborted) return
        this.shown.change({ error })
        onFailure?.({ error, data })
        if (data !== null) failed.partly = error
        else {
          failed.missing = error
          round.end()
        }
      },
      onResync: onResync && ((error) => this.#resync(error, onResync)),
    })
    try {
      for await (const data of events) {
        if (signal.aborted) break
        const [change] = Object.values(data)
        if (change == null) {
          failed.missing = failed.partly
          if (failed.missing !== null) break
        } else this.#take(change, failed.partly)
        failed.partly = null
      }
      return failed.missing
    } finally {
      round.end()
    }
  }

  /** What failed of a change is shown for as long as the change is. */
  #take(change: Change, partly: SubscriptionError | null): void {
    const { keep = KEPT, onChange } = this.#options
    const changes = keep > 0 ? [...this.shown.value.changes, change].slice(-keep) : []
    if (partly !== null) this.#partial = { change, error: partly }
    else if (this.#partial !== null && !changes.includes(this.#partial.change)) {
      this.#partial = null
      this.shown.change({ error: null })
    }
    if (keep > 0) this.shown.change({ changes })
    onChange?.(change)
  }

  /** The cursor first: what changes while the application has everything again comes after it. */
  async #resync(
    error: SubscriptionError,
    onResync: (error: SubscriptionError) => Promise<void> | void,
  ): Promise<string> {
    this.#showConnection(false)
    this.shown.change({ error })
    const isFirst = this.#resyncs.count === 0
    const pauseMs = this.#resyncs.next()
    if (!isFirst) await wait(pauseMs, this.ending.signal)
    const cursor = await this.#cursor()
    if (this.ending.signal.aborted) return cursor
    await onResync(error)
    this.#resyncs.noteOver()
    if (this.ending.signal.aborted) return cursor
    this.shown.change({ error: this.#partial?.error ?? null })
    this.#showConnection(true)
    return cursor
  }

  /** Asked for until there is one; an empty text once it has ended. */
  async #cursor(): Promise<string> {
    const { client, request } = this.#options
    const { signal } = this.ending
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        return await queryChangeCursor(client, signal, request.source, request.cursorField)
      } catch (error) {
        if (signal.aborted) break
        this.shown.change({ error })
        await wait(retryDelayMs(error, failures), signal)
      }
    }
    return ''
  }

  #showConnection(isConnected: boolean): void {
    const { status } = this.shown.value
    const next = isConnected ? 'live' : 'reconnecting'
    if (!this.ending.signal.aborted && status !== 'loading' && status !== next)
      this.shown.change({ status: next })
  }
}
