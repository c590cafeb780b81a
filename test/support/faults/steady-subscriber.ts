/** Subscribers that go on after whatever ends them, at the cursor they have; and what they saw. */
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { subscribeSse } from '../sse-client.ts'

/** What is subscribed to: by each a little differently, so that they share no results. */
const documentOf = (name: string) =>
  `subscription ${name} ($after: Cursor) { tagChanged(after: $after) { cursor new { name ${name}: name } } }`

interface TagPayload {
  readonly data?: {
    readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } }
  } | null
  readonly errors?: readonly { readonly extensions?: { readonly code?: string; readonly cursor?: string } }[]
}

/** One of them. */
export interface SteadySubscriber extends AsyncDisposable {
  readonly name: string
  /** Names of tags, in the order in which they came. */
  readonly names: string[]
  /** Why it had to begin again, each time. */
  readonly interruptions: string[]
  /** What no server may send: frames that are no JSON, or of another's operation. */
  readonly nonsense: string[]
}

/** One life of a connection: calls back for each payload, and resolves with why it ended. */
type Listen = (
  after: string,
  onPayload: (payload: TagPayload) => boolean,
  signal: AbortSignal,
) => Promise<string>

/** Begins at `after`. */
export function openSteady(name: string, listen: Listen, after: string): SteadySubscriber {
  const stop = new AbortController()
  const steady = { name, names: [] as string[], interruptions: [] as string[], nonsense: [] as string[] }
  let cursor = after
  const onPayload = ({ data, errors }: TagPayload): boolean => {
    const change = data?.tagChanged
    if (change !== undefined) {
      steady.names.push(change.new.name)
      cursor = change.cursor
      return true
    }
    const { code, cursor: next } = errors?.[0]?.extensions ?? {}
    steady.interruptions.push(`error ${code}${next === undefined ? '' : ' with a cursor'}`)
    return false
  }
  const loop = (async () => {
    while (!stop.signal.aborted) {
      const why = await listen(cursor, onPayload, stop.signal).catch((error: unknown) => String(error))
      if (stop.signal.aborted) return
      if (/not JSON|unexpected/i.test(why)) steady.nonsense.push(why)
      steady.interruptions.push(why)
      await delay(20)
    }
  })()
  return Object.assign(steady, {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await loop
    },
  })
}

/** Over a WebSocket, with what is sent as it is. */
export function overWebSocket(url: string, id: string): Listen {
  return (after, onPayload, signal) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws')
      const onAbort = () => end('stopped')
      const end = (why: string) => {
        // The signal lives as long as the subscriber, which connects again and again.
        signal.removeEventListener('abort', onAbort)
        resolve(why)
        socket.terminate()
      }
      signal.addEventListener('abort', onAbort)
      socket.on('error', (error) => end(String(error)))
      socket.on('close', (code, reason) => end(`closed ${code} ${reason}`))
      socket.on('open', () => socket.send('{"type":"connection_init"}'))
      socket.on('message', (bytes) => {
        const text = String(bytes)
        let message: { type: string; id?: string; payload?: unknown }
        try {
          message = JSON.parse(text)
        } catch {
          return end(`not JSON: ${text}`)
        }
        const { type, payload } = message
        if (type === 'connection_ack') {
          socket.send(
            JSON.stringify({
              type: 'subscribe',
              id,
              payload: { query: documentOf(id), variables: { after } },
            }),
          )
        } else if (type === 'ping') socket.send('{"type":"pong"}')
        else if (message.id !== id) end(`unexpected: ${text}`)
        else if (type === 'next' && !onPayload(payload as TagPayload)) end('a result with errors')
        else if (type === 'error') {
          onPayload({ errors: payload as NonNullable<TagPayload['errors']> })
          end('error')
        } else if (type === 'complete') end('complete')
      })
    })
}

/** Over Server-Sent Events. */
export function overEventStream(url: string, id: string): Listen {
  return async (after, onPayload, signal) => {
    const stream = await subscribeSse(url, documentOf(id), { after })
    const onAbort = () => stream.unsubscribe()
    signal.addEventListener('abort', onAbort)
    // Stopped while it was opened: the signal says nothing any more.
    if (signal.aborted) onAbort()
    try {
      while (onPayload((await stream.next(3_600_000)) as TagPayload)) {
        // Until a result has errors, or the stream ends.
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    stream.unsubscribe()
    return 'a result with errors'
  }
}
