/**
 * Beside the spine, client. A list that the server keeps, `<model>List`: whole first, then patches, across lost connections and restarted servers.
 * Whatever is not known to be right is had whole again.
 */
import { type ChangeOrigin, keyReader, type ListShape, type RowPart } from './apply-change.ts'
import type { ChangeClient } from './change-client.ts'
import { beginsAgain, CostlyPauses, isListTooLarge, Round } from './list-round.ts'
import type { LiveList, LiveListState } from './live-list-api.ts'
import { NamedTransactions } from './named-transactions.ts'
import type { Mutation } from './own-mutations.ts'
import { type PatchOperation, patchList } from './patch-list.ts'
import { type ChangeFailure, type ResumableRequest, subscribeWatched } from './resumable-subscription.ts'
import { checkOperations } from './selected-parts.ts'
import { ShownRows } from './shown-rows.ts'
import { SubscriptionError } from './subscription-error.ts'
import { retryDelayMs, wait } from './wait.ts'

/** What is followed. */
export interface FollowedListOptions<Row extends object, Variables = never>
  extends Pick<ListShape<Row>, 'key' | 'sort'> {
  /** Of graphql-ws, with `retryAttempts: Infinity`, `retryWait` and `shouldRetry: () => true`; or of `createSseClient`. */
  readonly client: ChangeClient
  /**
   * The subscription: one root field, `<model>List`, that selects `cursor`, of the snapshot `rows`, and of the patch
   * `operations { kind index key { … } row { … } }` with the same fields of rows. `totalCount` is shown where it is selected. Where it selects
   * `transactions { xid metadata { mutationId } }`, or `transactions { xid }`, its own mutations are known.
   */
  readonly request: ResumableRequest<FollowedListData<Row>, Variables>
  /** Called for each patch once it is applied, for what the rows do not show, such as highlighting; `isOwn`: a mutation of this list is in it. */
  readonly onPatch?:
    | ((operations: readonly PatchOperation<Row>[], about: { readonly isOwn: boolean }) => void)
    | undefined
  /** Called for each event that failed as a whole or in part. */
  readonly onFailure?: ((failure: ChangeFailure) => void) | undefined
}

/** A moment of the list; another object whenever something differs. */
export interface FollowedListState<Row extends object>
  extends Pick<LiveListState<Row>, 'rows' | 'status' | 'error'> {
  /** How many rows there are, in the list and behind it; null where it is not selected, or not known yet. */
  readonly totalCount: number | null
}

/** The list while it is followed. */
export interface FollowedList<Row extends object>
  extends Pick<LiveList<Row>, 'listen' | 'stop' | 'newMutationId' | 'show' | 'revert' | 'settled'> {
  readonly state: FollowedListState<Row>
}

/** The data of its subscription: one root field, which is a snapshot or a patch. */
export interface FollowedListData<Row extends object> {
  readonly [list: string]: FollowedEvent<Row>
}

/** What comes of it. */
interface FollowedEvent<Row extends object> {
  readonly rows?: readonly Row[]
  readonly operations?: readonly PatchOperation<Row>[]
  readonly totalCount?: number | null
  readonly transactions?: readonly ChangeOrigin[]
}

/** Before the first pause of those in a row that brought no patch. */
const RETRY_DELAY_MS = 50

/** Follows a list that the server keeps. */
export function followList<Row extends object, Variables = never>(
  options: FollowedListOptions<Row, Variables>,
): FollowedList<Row> {
  const follower = new ListFollower(options as FollowedListOptions<Row>)
  void follower.run()
  return follower
}

class ListFollower<Row extends object>
  extends ShownRows<Row, FollowedListState<Row>>
  implements FollowedList<Row>
{
  readonly #options: FollowedListOptions<Row>
  /** Rounds in a row that brought no patch. */
  #barren = 0
  readonly #costlyPauses = new CostlyPauses()
  #isConnected = false
  /** The rows are those that the next patch is for. */
  #isWhole = false
  /** Own mutations that were made before the list was asked for, and may have come with it alone. */
  #missed: readonly Mutation<Row>[] = []
  readonly #named = new NamedTransactions()
  /** What came with a field that failed, and is shown without it. */
  #partial: { readonly error: unknown; readonly rows: ReadonlySet<Row> } | null = null

  constructor(options: FollowedListOptions<Row>) {
    super({ rows: [], totalCount: null, status: 'loading', error: null }, options)
    this.#options = options
  }

  async run(): Promise<void> {
    const { signal } = this.ending
    try {
      for (;;) {
        const failure = await this.#runRound()
        if (failure === null || signal.aborted) break
        const costlyMs = this.#costlyPauses.next(failure)
        await wait(Math.max(costlyMs, retryDelayMs(failure, this.#barren, RETRY_DELAY_MS)), signal)
        this.#barren += 1
      }
      this.end(null)
    } catch (error) {
      this.end(error)
    }
  }

  /** From one snapshot on, until the server completes: null; or until the list has to be had whole again: why. */
  async #runRound(): Promise<unknown> {
    const { client, request, onFailure } = this.#options
    this.#missed = this.own.unsettled()
    const round = new Round(this.ending.signal)
    const { signal } = round
    const broken: { by: unknown } = { by: null }
    const breakOff = (by: unknown) => {
      broken.by ??= by
      this.#showOutdated()
      round.end()
    }
    let hasCome = false
    let partly: SubscriptionError | null = null
    try {
      const events = subscribeWatched<Record<string, FollowedEvent<Row> | null>>(client, request, {
        ...{ initial: true, signal },
        onConnection: (isConnected) => this.#noteConnection(isConnected),
        onEnded: () => this.#showOutdated(),
        onFailure: (failure) => {
          if (signal.aborted) return
          partly = failure.data === null ? null : failure.error
          this.shown.change({ error: failure.error })
          onFailure?.(failure)
          // What would have come next is missing.
          if (partly === null) breakOff(failure.error)
        },
      })
      for await (const data of events) {
        if (signal.aborted) break
        const [event] = Object.values(data)
        if (event == null || !this.#take(event, partly)) breakOff('a patch that does not fit')
        hasCome = true
        partly = null
      }
      return broken.by
    } catch (error) {
      if (!(error instanceof SubscriptionError)) throw error
      // The list itself may be short enough; where it is not, nothing comes of it the next time.
      if (!beginsAgain(error) && !(hasCome && isListTooLarge(error))) throw error
      this.shown.change({ error })
      this.#showOutdated()
      return error
    } finally {
      round.end()
    }
  }

  /** @returns whether the list is right @throws SubscriptionError where it cannot be with what is selected */
  #take(event: FollowedEvent<Row>, partly: SubscriptionError | null): boolean {
    const { rows, operations, totalCount = null } = event
    const next = rows ?? this.#patched(operations)
    if (next === null) return false
    if (rows === undefined) this.#barren = 0
    else {
      this.#checkKeys(rows)
      if (partly === null) this.#checkDistinct(rows)
    }
    if (partly !== null) this.#notePartial(event, partly)
    else if (!next.some((row) => this.#partial?.rows.has(row))) this.#partial = null
    this.#isWhole = true
    // What is taken may have come before the connection went.
    const status = this.#isConnected ? 'live' : 'reconnecting'
    const isOwn = this.#takeTransactions(event)
    this.showRows(next, { totalCount, status, error: this.#partial?.error ?? null })
    if (operations !== undefined) this.#options.onPatch?.(operations, { isOwn })
    return true
  }

  /** @returns whether one of them is of a mutation of this list */
  #takeTransactions({ rows, transactions = [] }: FollowedEvent<Row>): boolean {
    const { come, mayLackSome } = this.#named.accept(transactions)
    const own = come.filter((transaction) => this.own.accept({ action: 'UPDATE', transaction }))
    if (rows !== undefined) {
      this.own.reloaded(this.#missed)
      this.#missed = []
    }
    if (rows !== undefined || mayLackSome) this.own.begun()
    return own.length > 0
  }

  /** Which of the rows it is, is not asked: any that came with them may be. */
  #notePartial({ rows, operations = [] }: FollowedEvent<Row>, error: SubscriptionError): void {
    const come = rows ?? operations.flatMap(({ row }) => row ?? [])
    const before = rows === undefined ? (this.#partial?.rows ?? []) : []
    this.#partial = { error, rows: new Set([...before, ...come]) }
  }

  #patched(operations: FollowedEvent<Row>['operations']): readonly Row[] | null {
    if (operations === undefined)
      throw new SubscriptionError('The subscription selects no `rows`, or no `operations`. Select both.')
    checkOperations(operations)
    // Between a lost connection and the whole list, what is here is of before.
    if (!this.#isWhole) return null
    this.#checkKeys(operations.map(({ key }) => key))
    return patchList(this.rows, operations, this.#options)
  }

  #checkKeys(parts: readonly RowPart<Row>[]): void {
    const keyOf = keyReader(this.#options)
    if (parts.every((part) => keyOf(part) !== null)) return
    throw new SubscriptionError(
      'The list does not show its keys. Select `key` of operations, and the same of rows.',
    )
  }

  /** By keys that several rows have, a patch would be applied to the wrong one. @throws SubscriptionError */
  #checkDistinct(rows: readonly Row[]): void {
    if (new Set(rows.map(keyReader(this.#options))).size === rows.length) return
    throw new SubscriptionError('Several rows have the same `key`. Name all fields of their primary key.')
  }

  #noteConnection(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    // What had come before it went is taken still; what comes by another connection begins with the whole list.
    if (!isConnected) this.#showLost()
    // A list that is asked for already may have been read by now: what was made since may come behind it.
    else if (this.#isWhole) this.#showOutdated()
  }

  /** What comes next is not for these rows. */
  #showOutdated(): void {
    this.#isWhole = false
    this.#missed = this.own.unsettled()
    this.#showLost()
  }

  /** The rows are as they were. */
  #showLost(): void {
    if (this.shown.value.status === 'live') this.shown.change({ status: 'reconnecting' })
  }
}
