/**
 * Stage 8, server. One WebSocket as the protocol knows it, and what its server keeps for it: there are many thousands
 * of them, most with nothing to do, so that it is one object and keeps nothing of the request it came by.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { WebSocket } from 'ws'
import type { TurnShare } from '../../bus/turn-share.ts'
import type { Guard } from '../../guard.ts'
import type { SocketOutbox } from '../delivery/socket-outbox.ts'
import { isLongerThan } from '../errors/delivery-failure.ts'
import type { SocketBudget } from '../limits/socket-budget.ts'
import type { SocketReading } from '../limits/socket-reading.ts'
import type { ConnectionState } from '../session/connection-state.ts'
import { AnswerTurns } from './answer-turns.ts'
import { SERVICE_RESTART, SocketDeparture } from './socket-departure.ts'
import { SocketOperations } from './socket-operations.ts'
import type { SocketSender } from './socket-sender.ts'
import { formatBookmarks, type ProtocolSocket, type SocketPhase } from './websocket-protocol.ts'

/** What a socket is made of. */
export interface ClientSocketOptions {
  readonly webSocket: WebSocket
  readonly outbox: SocketOutbox
  readonly reading: Pick<SocketReading, 'takeHeld'>
  readonly send: SocketSender
  /** The client's. */
  readonly address: string
  /** Of its upgrade request. */
  readonly headers: IncomingHttpHeaders
  /** That run at once. */
  readonly operationsMax: number
  readonly socketBudget: SocketBudget
  readonly guard: Guard
  /** When what it leaves open is ended. */
  readonly turns: Pick<TurnShare, 'wait'>
}

/** When a socket that nobody uses is ended. */
export interface ClientSocketLimits {
  readonly pingIntervalMs: number
  readonly idleTimeoutMs: number
}

/** WebSocket close code: done, nothing wrong. RFC 6455, section 7.4.1. */
const NORMAL_CLOSURE = 1000
/** A close frame holds 123 bytes beside the code. RFC 6455, section 5.5. */
const REASON_BYTES_MAX = 123

/** A socket. */
export class ClientSocket implements ProtocolSocket {
  readonly outbox: SocketOutbox
  readonly send: SocketSender
  readonly operations: SocketOperations
  readonly address: string
  headers: IncomingHttpHeaders | null
  phase: SocketPhase = 'silent'
  isNotifiedOfStop = false
  connection: ConnectionState | null = null
  stopSession: (() => void) | null = null
  /** Null until the first query: most sockets send none. */
  #answers: AnswerTurns | null = null
  /** Null for nearly all. */
  #departure: SocketDeparture | null = null
  readonly #guard: Guard
  readonly #webSocket: WebSocket
  readonly #budget: SocketBudget
  readonly #reading: ClientSocketOptions['reading']
  /** What the last ping said; null once it was answered. A pong that answers none is no sign of life. */
  #asked: string | null = null
  #pings = 0
  #awaitsRestart = false
  #lastActivityMs = performance.now()

  constructor(options: ClientSocketOptions) {
    const { webSocket, outbox, send, address, headers, operationsMax, guard, turns } = options
    this.#webSocket = webSocket
    this.#budget = options.socketBudget
    this.#reading = options.reading
    this.#guard = guard
    this.outbox = outbox
    this.send = send
    this.operations = new SocketOperations(operationsMax, guard, turns)
    this.address = address
    this.headers = headers
  }

  get answers(): AnswerTurns {
    this.#answers ??= new AnswerTurns(this.#budget)
    return this.#answers
  }

  get departure(): SocketDeparture {
    this.#departure ??= new SocketDeparture(this, this.#guard)
    return this.#departure
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN
  }

  noteActivity(): void {
    this.#lastActivityMs = performance.now()
  }

  awaitRestart(): void {
    this.#awaitsRestart = true
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, cutReason(reason))
    this.release()
  }

  /** Ends what runs on it, and the watch over its session: a socket that closes gets nothing more. */
  release(): void {
    this.stopSession?.()
    this.operations.closeAll()
  }

  /** Pings at the interval, terminates a socket that was listened to and left the last ping unanswered, and closes an idle one. */
  watch(limits: ClientSocketLimits, guard: Guard): void {
    const webSocket = this.#webSocket
    const look = guard.wrap('look after a WebSocket', () => this.#look(limits.idleTimeoutMs))
    const timer = setInterval(look, limits.pingIntervalMs)
    const takePong = (data: Buffer): void => {
      if (data.toString() === this.#asked) this.#asked = null
    }
    webSocket.on('pong', guard.wrap('take a pong', takePong))
    webSocket.once('close', clearInterval.bind(null, timer))
  }

  #look(idleTimeoutMs: number): void {
    if (!this.isOpen) return
    const mayHaveAnswered = this.#reading.takeHeld()
    if (this.operations.count > 0) this.noteActivity()
    if (this.#awaitsRestart && !this.operations.isAnswering) {
      // A server that stops has closed it by now: this is one whose rowcast alone has stopped. What is asked for is answered first: a
      // client would ask for its mutation once more.
      this.close(SERVICE_RESTART, 'Server is stopping')
    } else if (this.#asked !== null) {
      if (!mayHaveAnswered) this.#webSocket.terminate()
    } else if (performance.now() - this.#lastActivityMs >= idleTimeoutMs) {
      this.close(NORMAL_CLOSURE, 'Idle')
    } else {
      this.#pings += 1
      // Nothing that can be said in advance.
      this.#asked = `${this.#pings} ${randomUUID()}`
      this.#webSocket.ping(this.#asked)
      const bookmarks = this.operations.takeBookmarks()
      if (bookmarks !== null) void this.send(formatBookmarks(bookmarks))
    }
  }
}

/** ws throws on longer ones, and some have the client's own ids in them. */
function cutReason(reason: string): string {
  if (!isLongerThan(reason, REASON_BYTES_MAX)) return reason
  const bytes = Buffer.from(reason)
  let end = REASON_BYTES_MAX - 3
  // Not within a character: its bytes after the first are 10xxxxxx.
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.toString('utf8', 0, end)
}
