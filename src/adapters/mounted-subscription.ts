/** Beside the spine, adapters. A subscription that lives while somebody listens, as frameworks of components want it. Knows none of them. */
import type { ChangeClient } from '../client/change-client.ts'
import { type ChangeDocument, documentText } from '../client/document-text.ts'
import type { LiveListState } from '../client/live-list-api.ts'

/** What every state shows. */
export type FollowedState = Pick<LiveListState<object>, 'status' | 'error'>

/** What is subscribed: of `createLiveList`, `followList` or `followChanges`. */
export interface Subscribed<State extends FollowedState> {
  readonly state: State
  listen(listener: () => void): () => void
  stop(): void
}

/** Subscribes for the first that listens, and stops once nobody has for a turn of the event loop: a component that is mounted again at once goes on. */
export class MountedSubscription<
  State extends FollowedState,
  Subject extends Subscribed<State>,
  Options extends object,
> {
  /** Those of the latest render: its functions are called. */
  options: Options
  subject: Subject | null = null
  readonly #subscribe: (options: Options) => Subject
  /** What is rendered on the server, and first in the browser. */
  readonly #first: State
  /** Shown until rows have come. */
  #before: State
  #listeners = 0
  #stopping: ReturnType<typeof setTimeout> | undefined
  /** A state without rows, and what is shown for it. */
  #covered: { readonly state: State; readonly shown: State } | null = null

  constructor(subscribe: (options: Options) => Subject, before: State, options: Options) {
    this.#subscribe = subscribe
    this.#first = before
    this.#before = before
    this.options = options
  }

  readonly listen = (listener: () => void): (() => void) => {
    clearTimeout(this.#stopping)
    this.#listeners += 1
    this.subject ??= this.#subscribe(withLatest(this.options, () => this.options))
    const unlisten = this.subject.listen(listener)
    let isListening = true
    return () => {
      if (!isListening) return
      isListening = false
      unlisten()
      this.#listeners -= 1
      if (this.#listeners === 0) this.#stopping = setTimeout(() => this.#stop())
    }
  }

  readonly read = (): State => {
    const state = this.subject?.state ?? null
    if (state === null) return this.#before
    if (state.status !== 'loading') return state
    if (this.#covered?.state !== state) {
      const { error } = state
      const shown = error === this.#before.error ? this.#before : { ...this.#before, error }
      this.#covered = { state, shown }
    }
    return this.#covered.shown
  }

  readonly readFirst = (): State => this.#first

  #stop(): void {
    if (this.subject === null) return
    const { state } = this.subject
    // Whoever comes back sees what was there, until it is there again.
    const wasThere = state.status === 'live' || state.status === 'reconnecting'
    this.#before = wasThere ? { ...state, status: 'reconnecting', error: null } : this.#first
    this.subject.stop()
    this.subject = null
  }
}

/** The options, with functions that call the latest ones. */
function withLatest<Options extends object>(options: Options, latest: () => Options): Options {
  const entries = Object.entries(options).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value]
    const call = (...given: unknown[]): unknown => {
      const now: unknown = Reflect.get(latest(), name)
      return Reflect.apply(typeof now === 'function' ? now : value, undefined, given)
    }
    return [name, call]
  })
  return Object.fromEntries(entries) as Options
}

/** What is asked for but for the client, as one text: the same for equal content, whatever objects it is in. Of functions, which there are. */
export function formatQuestion(options: {
  readonly client: ChangeClient
  readonly request?: { readonly query: ChangeDocument } | undefined
}): string {
  const { client: _, request, ...rest } = options
  const asked = request && { ...request, query: documentText(request.query) }
  return JSON.stringify({ ...rest, request: asked }, (_name, value: unknown) => {
    if (typeof value === 'function') return 'function'
    if (typeof value === 'bigint') return `${value}n`
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isRecord ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value
  })
}
