/** Beside the spine, client. Events of an event stream: HTML Living Standard, section 9.2.6, as far as GraphQL over SSE uses it. */
import { askedPauseMs } from './wait.ts'

/** One event. */
export interface StreamEvent {
  /** `next`, `complete`; `message` where the event does not say. */
  readonly name: string
  readonly data: string
}

/** Whom a parser notifies. */
export interface EventStreamListener {
  onEvent(event: StreamEvent): void
  /** An id that came without an event: everything up to it has come. */
  onBookmark(id: string): void
}

/** Cuts text that comes in pieces into events. What is longer than the bound ends it. */
export class EventStreamParser {
  readonly #listener: EventStreamListener
  readonly #charactersMax: number
  #line = ''
  #name = ''
  #data: string[] = []
  #id: string | null = null
  #characters = 0
  #endedWithReturn = false
  #retryAfterMs: number | null = null

  constructor(listener: EventStreamListener, charactersMax: number) {
    this.#listener = listener
    this.#charactersMax = charactersMax
  }

  /** How long to wait once the stream has ended; null while it has not said. */
  get retryAfterMs(): number | null {
    return this.#retryAfterMs
  }

  /** @throws RangeError for an event that is too long */
  push(piece: string): void {
    if (piece === '') return
    // A line ends with CRLF, LF or CR, and CRLF may be cut in two.
    const text = this.#endedWithReturn && piece.startsWith('\n') ? piece.slice(1) : piece
    this.#endedWithReturn = piece.endsWith('\r')
    this.#characters += text.length
    if (this.#characters > this.#charactersMax) throw new RangeError('An event of the stream is too long.')
    const [first = '', ...others] = text.split(/\r\n|\n|\r/)
    this.#line += first
    for (const line of others) {
      this.#endLine()
      this.#line = line
    }
  }

  #endLine(): void {
    const line = this.#line
    if (line === '') {
      this.#endEvent()
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1))
    if (field === 'event') this.#name = value
    if (field === 'data') this.#data.push(value)
    if (field === 'id') this.#id = value
    if (field === 'retry' && /^\d+$/.test(value)) this.#retryAfterMs = askedPauseMs(Number(value))
  }

  #endEvent(): void {
    const event = { name: this.#name || 'message', data: this.#data.join('\n') }
    const hasEvent = this.#name !== '' || this.#data.length > 0
    const id = this.#id
    this.#id = null
    this.#name = ''
    this.#data = []
    this.#characters = 0
    if (hasEvent) this.#listener.onEvent(event)
    else if (id !== null && id !== '') this.#listener.onBookmark(id)
  }
}
