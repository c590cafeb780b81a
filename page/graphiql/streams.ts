/**
 * GraphiQL: the subscriptions of all its tabs, over one WebSocket for all that send the same headers. A tab that is left
 * keeps its subscription; one that is closed ends it.
 */
import type { FetcherParams } from '@graphiql/toolkit'
import { type Client, createClient } from 'graphql-ws'
import {
  cleared,
  EMPTY_LOG,
  type StreamLog,
  withEnd,
  withFailure,
  withLoss,
  withPause,
  withResult,
} from './stream-log.ts'

type Headers = Readonly<Record<string, string>>

/** What GraphiQL shows the progress of an operation with: all it learns of one is that it has ended. */
type Observer = { complete(): void } | ((result: never) => void) | undefined

/** The subscriptions. */
export interface Streams {
  /** Begins one in the tab that is shown, instead of what runs there. */
  run(params: FetcherParams, headers: Headers): { subscribe(observer?: Observer): { unsubscribe(): void } }
  /** Ends what runs in the tab that is shown, and forgets its events. */
  forget(): void
  /** Ends what runs in the tab that is shown. Its events stay. */
  stop(): void
  /** Says which tabs there are. */
  showTab(id: string, all: readonly string[]): void
  pause(isPaused: boolean): void
  clear(): void
  /** Of the tab that is shown; null where no subscription was. */
  current(): StreamLog | null
  /** Calls back after each change of `current()`. Returns what ends that. */
  listen(onChange: () => void): () => void
}

interface Stream {
  log: StreamLog
  readonly client: Client
  end: (() => void) | null
  onEnd: () => void
}

const nothing = (): void => undefined

/** Close codes for clients that are not let in: to try again is no use. Source: graphql-ws, PROTOCOL.md. */
const FINAL_CODES: readonly unknown[] = [4400, 4401, 4403, 4406, 4409]

const DRAW_DELAY_MS = 30

/** @param url of the WebSocket */
export function createStreams(url: string): Streams {
  const streams = new Map<string, Stream>()
  const clients = new Map<string, Client>()
  const openClients = new Set<Client>()
  const listeners = new Set<() => void>()
  let shown = ''

  let isTelling = false

  function notify(): void {
    isTelling = false
    for (const listener of listeners) listener()
  }

  /** What comes quickly one after the other is drawn together. */
  function change(stream: Stream, log: StreamLog): void {
    stream.log = log
    if (isTelling) return
    isTelling = true
    setTimeout(notify, DRAW_DELAY_MS)
  }

  /** One socket for all who say the same of who they are. */
  function clientFor(headers: Headers): Client {
    const key = JSON.stringify(headers)
    const client = clients.get(key) ?? createSocket(url, headers, (isOpen) => onSocket(client, isOpen))
    clients.set(key, client)
    return client
  }

  function onSocket(client: Client, isOpen: boolean): void {
    if (isOpen) openClients.add(client)
    else openClients.delete(client)
    for (const stream of streams.values()) {
      if (stream.client !== client || stream.end === null) continue
      if (isOpen) change(stream, { ...stream.log, state: 'live' })
      else change(stream, withLoss(stream.log, new Date()))
    }
  }

  function end(id: string): void {
    const stream = streams.get(id)
    if (stream?.end === null || stream === undefined) return
    const { end: dispose, onEnd } = stream
    stream.end = null
    dispose()
    onEnd()
    change(stream, { ...stream.log, state: 'ended' })
  }

  function begin(params: FetcherParams, headers: Headers, onEnd: () => void): { unsubscribe(): void } {
    const id = shown
    end(id)
    const client = clientFor(headers)
    const log: StreamLog = { ...EMPTY_LOG, state: openClients.has(client) ? 'live' : 'connecting' }
    const stream: Stream = { log, client, end: null, onEnd }
    streams.set(id, stream)
    const { query, variables, operationName } = params
    const isOver = () => stream.end === null
    stream.end = stream.client.subscribe(
      { query, variables, operationName: operationName ?? null },
      {
        next: (result) => change(stream, withResult(stream.log, result, new Date())),
        error(error) {
          if (isOver()) return
          stream.end = null
          change(stream, withFailure(stream.log, error, new Date()))
          stream.onEnd()
        },
        complete() {
          if (isOver()) return
          stream.end = null
          change(stream, withEnd(stream.log))
          stream.onEnd()
        },
      },
    )
    change(stream, log)
    return {
      unsubscribe() {
        // GraphiQL ends what runs before it shows another tab; only in the tab itself does that mean: stop.
        setTimeout(() => {
          stream.onEnd = nothing
          if (shown === id && streams.get(id) === stream) end(id)
        })
      },
    }
  }

  const withShown = (change_: (log: StreamLog) => StreamLog): void => {
    const stream = streams.get(shown)
    if (stream !== undefined) change(stream, change_(stream.log))
  }

  return {
    run: (params, headers) => ({
      subscribe: (observer) =>
        begin(params, headers, typeof observer === 'object' ? () => observer.complete() : nothing),
    }),
    forget() {
      end(shown)
      streams.delete(shown)
      notify()
    },
    stop: () => end(shown),
    showTab(id, all) {
      shown = id
      for (const [known, stream] of streams) {
        if (known === id) continue
        // GraphiQL takes what runs for what is shown: to it, what goes on in another tab has ended.
        stream.onEnd()
        stream.onEnd = nothing
        if (all.includes(known)) continue
        end(known)
        streams.delete(known)
      }
      notify()
    },
    pause: (isPaused) => withShown((log) => withPause(log, isPaused)),
    clear: () => withShown(cleared),
    current: () => streams.get(shown)?.log ?? null,
    listen(onChange) {
      listeners.add(onChange)
      return () => listeners.delete(onChange)
    },
  }
}

function createSocket(url: string, headers: Headers, onSocket: (isOpen: boolean) => void): Client {
  return createClient({
    url,
    // What the headers tab says, where the server looks for it over WebSocket.
    connectionParams: connectionParamsOf(headers),
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: (event) => !FINAL_CODES.includes(Reflect.get(Object(event), 'code')),
    retryWait: (retries) =>
      new Promise((resolve) => setTimeout(resolve, Math.min(250 * 2 ** retries, 5_000))),
    on: { connected: () => onSocket(true), closed: () => onSocket(false) },
  })
}

/** Headers as they are written and in lower case, and the token of a Bearer, as clients of rowcast send it. */
export function connectionParamsOf(headers: Headers): Record<string, string> {
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const credentials = lower['authorization'] ?? ''
  const token = /^bearer\s/i.test(credentials) ? credentials.slice('bearer '.length).trim() : ''
  return { ...(token === '' ? {} : { token }), ...lower, ...headers }
}
