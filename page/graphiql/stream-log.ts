/** GraphiQL: the events of one subscription, newest first and bounded. Pure. */

import { formatCompact } from './compact-json.ts'

/** How a subscription is doing. */
export type StreamState = 'connecting' | 'live' | 'reconnecting' | 'ended' | 'failed'

/** An error as people read it. */
export interface ShownError {
  readonly message: string
  readonly code: string | null
  readonly hint: string | null
}

/** One line of the list. */
export interface StreamEvent {
  /** Counted from 1 since the subscription began; gaps in the connection have none. */
  readonly number: number | null
  readonly at: Date
  /** The result as JSON for people; empty where there is nothing but errors. */
  readonly text: string
  readonly errors: readonly ShownError[]
  /** What happened to the connection, instead of a result. */
  readonly note: string | null
}

/** What is shown of a subscription. */
export interface StreamLog {
  readonly state: StreamState
  /** Newest first. */
  readonly events: readonly StreamEvent[]
  /** Came while the list was paused; newest first, as bounded as the list. */
  readonly held: readonly StreamEvent[]
  readonly isPaused: boolean
  /** Results since the beginning. */
  readonly received: number
}

export const EMPTY_LOG: StreamLog = {
  ...{ state: 'connecting', events: [], held: [], isPaused: false, received: 0 },
}
/** Events kept; older ones go. */
export const EVENTS_MAX = 200
/** Characters kept over all events: a single result may have megabytes. */
export const CHARACTERS_MAX = 4_000_000
/** Characters shown of one result. */
export const SHOWN_CHARACTERS_MAX = 50_000

/** With a result, which may have errors. */
export function withResult(log: StreamLog, result: unknown, at: Date): StreamLog {
  const { errors, ...rest } = Object(result) as { readonly errors?: readonly unknown[] }
  const hasData = Object.values(rest).some((value) => value !== null && value !== undefined)
  const number = log.received + 1
  const text = hasData ? formatResult(withoutWrapper(rest)) : ''
  const event = { number, at, text, errors: (errors ?? []).map(showError), note: null }
  return withEvent({ ...log, state: 'live', received: number }, event)
}

/** Ended by the server; what refuses a subscription is its last result. */
export function withEnd(log: StreamLog): StreamLog {
  const [last] = [...log.held, ...log.events]
  const isFailed = last !== undefined && last.errors.length > 0 && last.text === ''
  return { ...log, state: isFailed ? 'failed' : 'ended' }
}

/** Ended by an error of the operation, or of its connection. */
export function withFailure(log: StreamLog, error: unknown, at: Date): StreamLog {
  const errors = (Array.isArray(error) ? error : [error]).map(showError)
  return withEvent({ ...log, state: 'failed' }, { number: null, at, text: '', errors, note: null })
}

/** The connection is lost; what changes until it is back is not in the list. */
export function withLoss(log: StreamLog, at: Date): StreamLog {
  if (log.state !== 'live') return log
  const note = 'Connection lost. Changes from here until it is back are not in this list.'
  return withEvent({ ...log, state: 'reconnecting' }, { number: null, at, text: '', errors: [], note })
}

/** Paused, the list stands still; what it missed comes when it goes on. */
export function withPause(log: StreamLog, isPaused: boolean): StreamLog {
  if (isPaused) return { ...log, isPaused }
  return { ...log, isPaused, held: [], events: bounded([...log.held, ...log.events]) }
}

/** With an empty list; the subscription goes on. */
export function cleared(log: StreamLog): StreamLog {
  return { ...log, events: [], held: [] }
}

/** `data` goes without saying where there is nothing else. */
function withoutWrapper(result: Readonly<Record<string, unknown>>): unknown {
  const { data, ...more } = result
  return Object.keys(more).length === 0 ? data : result
}

function withEvent(log: StreamLog, event: StreamEvent): StreamLog {
  return log.isPaused
    ? { ...log, held: bounded([event, ...log.held]) }
    : { ...log, events: bounded([event, ...log.events]) }
}

function bounded(events: readonly StreamEvent[]): readonly StreamEvent[] {
  let characters = 0
  const end = events.findIndex(({ text }, index) => {
    characters += text.length
    return index >= EVENTS_MAX || (index > 0 && characters > CHARACTERS_MAX)
  })
  return end < 0 ? events : events.slice(0, end)
}

function formatResult(value: unknown): string {
  try {
    return cut(formatCompact(value))
  } catch {
    // JSON may be nested deeper than any stack.
    return '… nested too deeply to be shown'
  }
}

function cut(text: string): string {
  if (text.length <= SHOWN_CHARACTERS_MAX) return text
  const left = (text.length - SHOWN_CHARACTERS_MAX).toLocaleString('en')
  return `${text.slice(0, SHOWN_CHARACTERS_MAX)}\n… ${left} more characters`
}

/** Of a GraphQL error, an Error, or the event of a closed WebSocket. */
export function showError(error: unknown): ShownError {
  const { message, extensions, code, reason } = Object(error) as Readonly<Record<string, unknown>>
  const { code: ownCode, hint } = Object(extensions) as Readonly<Record<string, unknown>>
  if (typeof code === 'number') {
    const said = typeof reason === 'string' && reason !== '' ? reason : 'no reason given'
    return { message: `The server closed the connection: ${said}.`, code: String(code), hint: null }
  }
  return {
    message: typeof message === 'string' ? message : 'The server does not answer.',
    code: typeof ownCode === 'string' ? ownCode : null,
    hint: textOrNull(hint),
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
