/**
 * Beside the spine, client. For browsers and other clients: a subscription that survives lost connections and
 * restarted servers. It remembers the cursor of the last change and goes on after it. Imports nothing of the
 * server.
 */

import type { SubscribePayload } from 'graphql-ws'
import { AsyncQueue } from '../async-queue.ts'
import type { CodesWith, ErrorEntry } from '../errors.ts'
import { createBookmarkExtensions, watchBookmarks } from './bookmarks.ts'
import { type ChangeClient, type ChangeSink, queryChangeCursor, watchConnection } from './change-client.ts'
import { type ChangeDocument, documentText } from './document-text.ts'
import { beginsAgain } from './list-round.ts'
import { SubscriptionError, toEndError, toSubscriptionErrors } from './subscription-error.ts'
import { retryDelayMs, wait } from './wait.ts'

/** What is asked for, whatever it is. */
interface AnyRequest<Data, Variables> {
  /** A subscription with one root field that selects `cursor` and takes `after: $after`; its text, or what a code generator made of it. */
  readonly query: ChangeDocument<Data, Variables>
  /** Of a server with several databases: the one that the model is in. @default a server with one */
  readonly source?: string | undefined
  /** What `changeCursor` is called, behind a gateway of several subgraphs of rowcast. @default 'changeCursor' */
  readonly cursorField?: string | undefined
}

/** Those of a typed document, where it is one; the cursor is the kit's own. */
type GivenVariables<Variables> = [Variables] extends [never]
  ? Readonly<Record<string, unknown>>
  : Readonly<Omit<Variables, 'after'>> & { readonly after?: never }

/** What is asked for. With a typed document, `variables` are those that it declares. */
export type ResumableRequest<Data = object, Variables = never> = AnyRequest<Data, Variables> &
  (Record<never, never> extends GivenVariables<Variables>
    ? { readonly variables?: GivenVariables<Variables> | undefined }
    : { readonly variables: GivenVariables<Variables> })

/** How it resumes. */
export interface ResumableOptions {
  /** Begin after this cursor: `changeCursor`, taken before the rows were queried. @default asks for it first */
  readonly after?: string | undefined
  /** The query has `initial: true`: begins without a cursor, with the rows there are. RESYNC_REQUIRED: forget them. @default false */
  readonly initial?: boolean | undefined
  /** Name of the query's cursor variable. @default 'after' */
  readonly variable?: string | undefined
  /**
   * Called when changes may be missing: query the rows again, and return the cursor to go on after. Without it
   * the iteration ends with the error.
   */
  readonly onResync?: ((error: SubscriptionError) => Promise<string> | string) | undefined
  /**
   * Called for a change that failed as a whole or in part, before what came of it, if anything, is given out. Without
   * it such a change ends the iteration with the error where nothing came of it.
   */
  readonly onFailure?: ((failure: ChangeFailure) => void) | undefined
  /** Called when the connection is there, and when it is lost. */
  readonly onConnection?: ((isConnected: boolean) => void) | undefined
  /** Ends the iteration, also while it waits. */
  readonly signal?: AbortSignal | undefined
}

/** The same, for what says of rows whether they are as the server has them. */
export interface WatchedOptions extends ResumableOptions {
  /** Called when the server has ended the subscription, and all that came before has been given out. */
  readonly onEnded?: (() => void) | undefined
}

/** A change that failed. */
export interface ChangeFailure {
  readonly error: SubscriptionError
  /** What came of it; null where nothing did. */
  readonly data: object | null
}

type Codes<Columns extends Partial<ErrorEntry>> = Readonly<Record<CodesWith<Columns>, true>>

/** Of those: the server ended the subscription in order, with all that came before, not because of what it asked for. */
const ELSEWHERE: Codes<{ clientGoesOn: 'again'; endsConnection: true }> = {
  ...{ SERVER_STOPPING: true, SERVER_STANDING_BY: true },
}

/**
 * Errors that the kit goes on after: `again` where the server wants to be asked again, where the subscription stands or after
 * the cursor they have; `next` for those of one change. The column of the error table, whose texts a browser need not load.
 */
const GOES_ON: { readonly [Way in 'again' | 'next']: Codes<{ clientGoesOn: Way }> } = {
  again: { ...ELSEWHERE, SUBSCRIBER_TOO_SLOW: true, MODEL_UNAVAILABLE: true },
  next: { PAYLOAD_TOO_LARGE: true, CHANGE_UNDELIVERABLE: true },
}

function goesOn(way: keyof typeof GOES_ON, code: string | null): boolean {
  return code !== null && Object.hasOwn(GOES_ON[way], code)
}

/**
 * Iterates over a subscription's data. Give graphql-ws's client `retryAttempts: Infinity`, `retryWait` and a `shouldRetry` that says
 * yes: it reconnects, and each new attempt carries the latest cursor. A server that ended the subscription
 * because it was read too slowly is asked again, one that says when (`retryAfterMs`) after that time; one that says
 * RESYNC_REQUIRED leads to `onResync`. Other errors after which the rows are to be had again end it.
 * @throws SubscriptionError, and what the client gives up with, from the loop.
 */
export function subscribeResumable<Data extends object, Variables = never>(
  client: ChangeClient,
  request: ResumableRequest<Data, Variables>,
  options: ResumableOptions = {},
): AsyncGenerator<Data, void, undefined> {
  return subscribeWatched<Data>(client, request as ResumableRequest, options)
}

/** The same, for lists. */
export async function* subscribeWatched<Data extends object>(
  client: ChangeClient,
  request: ResumableRequest,
  options: WatchedOptions,
): AsyncGenerator<Data, void, undefined> {
  const { signal, onConnection } = options
  const stopWatching = onConnection === undefined ? () => undefined : watchConnection(client, onConnection)
  try {
    // Without a cursor to begin with, a connection lost before the first change would lose what came meanwhile.
    const first =
      options.after ?? (options.initial === true ? null : await firstCursor(client, signal, request))
    if (first === null && options.initial !== true) return
    const position: Position = { cursor: first }
    for (let barren = 0; signal?.aborted !== true; barren += 1) {
      const before: string | null = position.cursor
      try {
        yield* attempt<Data>(client, request, options, position)
        return
      } catch (error) {
        if (!(error instanceof SubscriptionError)) throw error
        options.onEnded?.()
        if (!isResumed(error, options)) throw error
        // A server that has had nothing to say since the last attempt is given time to recover.
        if (position.cursor !== before) barren = 0
        if (barren > 0 || saysWhen(error)) await wait(retryDelayMs(error, barren), signal)
        await goOn(error, position, options)
      }
    }
  } finally {
    stopWatching()
  }
}

/** The cursor for now, asked for again as long as the server says when; null when the signal has ended the waiting for it. */
async function firstCursor(
  client: ChangeClient,
  signal: AbortSignal | undefined,
  { source, cursorField }: Pick<ResumableRequest, 'source' | 'cursorField'>,
): Promise<string | null> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await queryChangeCursor(client, signal, source, cursorField)
    } catch (error) {
      if (signal?.aborted === true) return null
      if (!(error instanceof SubscriptionError) || !saysWhen(error)) throw error
      await wait(retryDelayMs(error, failures), signal)
    }
  }
}

/** Whether the server names a time to come again. */
function saysWhen({ extensions }: SubscriptionError): boolean {
  return typeof extensions['retryAfterMs'] === 'number'
}

/** Where the subscription stands. */
interface Position {
  /** Null before the first event of a subscription that begins with rows. */
  cursor: string | null
}

/** Whether another attempt follows. */
function isResumed(error: SubscriptionError, { onResync, onFailure }: ResumableOptions): boolean {
  const { code, cursor } = error
  // Whoever has the rows again waits for as long as the server says, and shows why.
  if (beginsAgain(error)) return code === 'RESYNC_REQUIRED' && onResync !== undefined
  if (goesOn('next', code) && cursor !== null && onFailure !== undefined) return true
  return goesOn('again', code) || saysWhen(error)
}

/** Moves the position to where the next attempt begins. */
async function goOn(
  error: SubscriptionError,
  position: Position,
  { onResync, onFailure }: ResumableOptions,
): Promise<void> {
  const { code, cursor } = error
  if (code === 'RESYNC_REQUIRED' && onResync !== undefined) position.cursor = await onResync(error)
  else if (goesOn('next', code) && cursor !== null && onFailure !== undefined) {
    position.cursor = cursor
    onFailure({ error, data: null })
  } else if (code !== null && Object.hasOwn(ELSEWHERE, code) && cursor !== null) position.cursor = cursor
}

/** One result. */
interface Received<Data> {
  readonly data: Data | null
  readonly error: SubscriptionError | null
}

async function* attempt<Data extends object>(
  client: ChangeClient,
  { query, variables }: ResumableRequest,
  { variable = 'after', signal, onFailure, onConnection }: ResumableOptions,
  position: Position,
): AsyncGenerator<Data, void, undefined> {
  const extensions = createBookmarkExtensions()
  // The client writes the payload again for each attempt, so a getter gives it the cursor of that moment.
  const payload: SubscribePayload = {
    query: documentText(query),
    extensions,
    get variables() {
      return { ...variables, [variable]: position.cursor }
    },
  }
  const inbox = new AsyncQueue<Received<Data>>()
  /** What comes behind the end is not given out, and is asked for again. */
  function moveTo(cursor: string): void {
    if (!inbox.isEnded) position.cursor = cursor
  }
  /** At once, not when it is taken: should the connection be lost meanwhile, what is here has come. */
  function receive(data: Data | null, errors: readonly SubscriptionError[]): void {
    position.cursor = (data === null ? null : cursorOf(data)) ?? errors[0]?.cursor ?? position.cursor
    inbox.push({ data, error: errors[0] ?? null })
  }
  const sink: ChangeSink<Data> = {
    next(result) {
      onConnection?.(true)
      if (inbox.isEnded) return
      const errors = toSubscriptionErrors(result.errors)
      // `data: null` is a change that failed; no data at all is an answer to the subscription.
      const isOfChange = result.data !== undefined && (result.data !== null || onFailure !== undefined)
      if (!isOfChange) return inbox.end(errors[0] ?? new SubscriptionError('The server sent no data.'))
      try {
        receive(result.data ?? null, errors)
      } catch (error) {
        inbox.end(error)
      }
    },
    error: (error) => inbox.end(toEndError(error)),
    complete: () => inbox.end(),
    connected: () => onConnection?.(true),
    lost: () => onConnection?.(false),
    bookmark: moveTo,
  }
  const unsubscribe = client.subscribe<Data>(payload, sink)
  const forgetBookmarks = watchBookmarks(client, extensions, moveTo)
  const onAbort = () => inbox.end()
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    for await (const { data, error } of inbox) {
      if (error !== null) onFailure?.({ error, data })
      if (data !== null) yield data
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    forgetBookmarks()
    unsubscribe()
  }
}

/** Null where the change itself is null: it failed. */
function cursorOf(data: object): string | null {
  const [change] = Object.values(data) as readonly unknown[]
  if (change === null) return null
  const cursor = typeof change === 'object' ? Reflect.get(change, 'cursor') : undefined
  if (typeof cursor === 'string') return cursor
  throw new SubscriptionError(
    'The subscription does not select `cursor`, so it could not be resumed. Select it.',
  )
}
