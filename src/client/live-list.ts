/**
 * Beside the spine, client. A list that stays as the database is: loaded once, then kept up by the changes after the
 * cursor, across lost connections; loaded again where changes may be missing. For any framework: a snapshot and a
 * call when there is another.
 */
import { keyReader, type ListChange, type ListShape } from './apply-change.ts'
import { queryChangeCursor, watchConnection } from './change-client.ts'
import { mayBeCut, stepList } from './cut-list.ts'
import { beginsAgain, Round } from './list-round.ts'
import type { LiveList, LiveListOptions, LiveListState } from './live-list-api.ts'
import type { Mutation } from './own-mutations.ts'
import { type ResumableRequest, subscribeResumable } from './resumable-subscription.ts'
import { checkChange } from './selected-parts.ts'
import { ShownRows } from './shown-rows.ts'
import { SubscriptionError } from './subscription-error.ts'
import { retryDelayMs, wait } from './wait.ts'

const RETRY_DELAY_MS = 250
const RELOAD_INTERVAL_MS = 1_000
/** In the place of a cursor: the round begins with the rows there are. */
const WITH_ROWS = ''

/** Creates a list and begins to load it. */
export function createLiveList<Row extends object, Variables = never>(
  options: LiveListOptions<Row, Variables>,
): LiveList<Row> {
  const keeper = new ListKeeper(options as LiveListOptions<Row>)
  void keeper.run()
  return keeper
}

/** What a query gave, and the cursor that was taken before it: what follows it brings the rows up to date. */
interface Loaded<Row> {
  readonly rows: readonly Row[]
  readonly cursor: string
}

class ListKeeper<Row extends object> extends ShownRows<Row, LiveListState<Row>> implements LiveList<Row> {
  readonly #options: LiveListOptions<Row>
  /** Of those not settled yet, what may have come in a gap: the rows that are loaded next have it. */
  #missed: readonly Mutation<Row>[] = []
  #hasRows = false
  #isConnected = false
  #loadedAtMs = Number.NEGATIVE_INFINITY
  /** Rounds in a row that did not come to their rows. */
  #failures = 0

  constructor(options: LiveListOptions<Row>) {
    super({ rows: [], status: 'loading', isComplete: true, error: null }, options)
    this.#options = options
  }

  async run(): Promise<void> {
    const report = (isConnected: boolean) => this.#showConnection(isConnected)
    const stopWatching = watchConnection(this.#options.client, report)
    try {
      let after: string | null = await this.#nextStart()
      while (after !== null) after = await this.#runRound(after)
      this.end(null)
    } catch (error) {
      this.end(error)
    } finally {
      stopWatching()
    }
  }

  #showConnection(isConnected: boolean): void {
    this.#isConnected = isConnected
    const status = isConnected ? 'live' : 'reconnecting'
    if (this.#hasRows && !this.ending.signal.aborted && this.shown.value.status !== status)
      this.shown.change({ status })
  }

  /**
   * Follows the changes after a cursor, until the server completes, changes may be missing, or the list has been loaded
   * again. Gives the cursor for the next round; null when there is none.
   */
  async #runRound(after: string): Promise<string | null> {
    const { client, onFailure, onChange } = this.#options
    // Of what is selected, the list has the types of its rows alone.
    const request = this.#options.request as ResumableRequest<Record<string, ListChange<Row> | null>>
    const round = new Round(this.ending.signal)
    let fill = after === WITH_ROWS ? new FirstRowsFill(this.#options) : null
    if (fill !== null) this.#loadedAtMs = performance.now()
    const { signal } = round
    let hasFailed = false
    try {
      const changes = subscribeResumable<Record<string, ListChange<Row> | null>>(client, request, {
        ...(fill === null ? { after, signal } : { initial: true, signal }),
        onConnection: (isConnected) => this.#showConnection(isConnected),
        onFailure: (failure) => {
          if (signal.aborted) return
          hasFailed = failure.data !== null
          this.shown.change({ error: failure.error })
          onFailure?.(failure)
          // To begin with rows again before all are there would be to begin for ever, where the same row fails again.
          if (fill === null) this.#reload(round)
          else fill.failure = failure.error
        },
      })
      for await (const data of changes) {
        if (signal.aborted) break
        const [change] = Object.values(data)
        // A failed field is null, and so may be the row: that says nothing of the database.
        const isKnown = !hasFailed || change?.action === 'DELETE' || change?.action === 'TRUNCATE'
        hasFailed = false
        if (change == null || !isKnown) continue
        if (fill === null || (change.action !== 'READ' && change.action !== 'READY')) {
          this.#apply(change, round)
          continue
        }
        if (change.action === 'READ') fill.add(change)
        else {
          this.#show({ rows: fill.rows() })
          if (fill.failure !== null) this.shown.change({ error: fill.failure })
          fill = null
        }
        onChange?.(change, { isOwn: false })
      }
      return round.next
    } catch (error) {
      if (!(error instanceof SubscriptionError) || !beginsAgain(error)) throw error
      round.end()
      this.#missed = this.own.unsettled()
      // Until the rows have been loaded again, they are not as the database is.
      this.#showConnection(false)
      await this.#waitToBegin(error)
      return await this.#nextStart()
    } finally {
      round.end()
    }
  }

  #apply(change: ListChange<Row>, round: Round): void {
    checkChange(change)
    const step = stepList({ rows: this.rows, mayBeCut: !this.shown.value.isComplete }, change, this.#options)
    const isOwn = this.own.accept(change)
    this.showRows(step.rows)
    this.#options.onChange?.(change, { isOwn })
    if (step.isStale) this.#reload(round)
  }

  /** Loads the list again while its changes go on; the next round begins where that stands. */
  #reload(round: Round): void {
    if (round.isReloading) return
    round.isReloading = true
    const reload = async () => {
      await this.#waitToReload(round.signal)
      if (this.#options.load === undefined) {
        this.#missed = this.own.unsettled()
        return round.end(WITH_ROWS)
      }
      const loaded = await this.#queryUntilItWorks(round.signal)
      if (loaded === null) return
      this.#show(loaded)
      round.end(loaded.cursor)
    }
    // What throws here is the application's: its `sort`, or rows that are no list.
    reload().catch((error: unknown) => this.end(error))
  }

  #waitToReload(signal: AbortSignal): Promise<void> {
    const { reloadIntervalMs = RELOAD_INTERVAL_MS } = this.#options
    return wait(Math.max(0, this.#loadedAtMs + reloadIntervalMs - performance.now()), signal)
  }

  /** Longer after each round that did not come to its rows. */
  async #waitToBegin(error: SubscriptionError): Promise<void> {
    const { signal } = this.ending
    const failures = this.#failures
    this.#failures += 1
    const isAsked = typeof error.extensions['retryAfterMs'] === 'number'
    if (failures > 0 || isAsked) await wait(retryDelayMs(error, failures, RETRY_DELAY_MS), signal)
    await this.#waitToReload(signal)
  }

  /** Where a round begins: after a cursor that was taken before the rows were queried, or with rows. */
  async #nextStart(): Promise<string> {
    if (this.#options.load === undefined) {
      this.#missed = this.own.unsettled()
      return WITH_ROWS
    }
    const loaded = await this.#queryUntilItWorks(this.ending.signal)
    if (loaded === null) throw this.ending.signal.reason
    this.#show(loaded)
    return loaded.cursor
  }

  #show({ rows }: Pick<Loaded<Row>, 'rows'>): void {
    const { sort, take } = this.#options
    this.#hasRows = true
    this.#failures = 0
    this.#loadedAtMs = performance.now()
    const isComplete = this.#options.load === undefined || !mayBeCut(rows.length, take)
    this.shown.change({ isComplete, error: null })
    this.own.reloaded(this.#missed)
    if (this.#options.load === undefined) this.own.begun()
    this.#missed = []
    this.showRows(sort === undefined ? rows : [...rows].sort(sort))
    this.#showConnection(this.#isConnected)
  }

  /** Null when the signal has ended it. */
  async #queryUntilItWorks(signal: AbortSignal): Promise<Loaded<Row> | null> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        // The cursor first: no change is missed between the two.
        const { client, request } = this.#options
        const cursor = await queryChangeCursor(client, signal, request.source, request.cursorField)
        // The rows will have what was saved before, and no change of it comes.
        this.#missed = this.own.unsettled()
        // It has answered, so it is there, whoever connected it.
        this.#isConnected = true
        const rows = (await this.#options.load?.()) ?? []
        if (!signal.aborted) return { rows, cursor }
      } catch (error) {
        if (signal.aborted) break
        this.shown.change({ error })
        await wait(retryDelayMs(error, failures, RETRY_DELAY_MS), signal)
      }
    }
    return null
  }
}

/** Rows by key, in the order in which they came. */
class FirstRowsFill<Row extends object> {
  readonly #rows = new Map<string, Row>()
  readonly #shape: ListShape<Row>
  readonly #keyOf: ReturnType<typeof keyReader<Row>>
  /** Why a row is missing among them, or is not as the database is. */
  failure: unknown = null

  constructor(shape: ListShape<Row>) {
    this.#shape = shape
    this.#keyOf = keyReader(shape)
  }

  /** Takes a READ. */
  add({ new: row, key, transition }: ListChange<Row>): void {
    const text = this.#keyOf(row ?? key) ?? ''
    const isWanted = row != null && transition !== 'LEFT' && (this.#shape.where?.(row) ?? true)
    if (isWanted) this.#rows.set(text, row)
    else this.#rows.delete(text)
  }

  /** All of them, once READY has come. */
  rows(): readonly Row[] {
    return [...this.#rows.values()]
  }
}
