/**
 * Stage 8, server. The messages of WebSockets, those of each one after the other. Reading one takes up to a millisecond, and many sockets may each send
 * one within the same turn of the event loop: they come in line with the operations that begin, and whoever waits there is not listened to meanwhile,
 * nor is who sends more than is read of a client in a second.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RawData, WebSocket } from 'ws'
import { Line } from '../../bus/line.ts'
import type { TurnShare } from '../../bus/turn-share.ts'
import type { Guard } from '../../guard.ts'
import type { SocketReading } from '../limits/socket-reading.ts'

/** What a client may send at once: many times the documents of a page. */
const BURST_BYTES = 256 * 1024
/** What is read of it then, a millisecond. */
const BYTES_PER_MS = 512

/** What the inboxes of a server share: many sockets never have to wait. */
export interface InboxHost {
  /** In which operations begin as well: what has been read waits no longer than to be begun. */
  readonly turns: Pick<TurnShare, 'wait'>
  readonly receiveAll: (inbox: SocketInbox, first: Promise<void> | null) => void
  /** @default performance.now */
  readonly nowMs: () => number
}

/** For all sockets of a server. */
export function createInboxHost(
  turns: Pick<TurnShare, 'wait'>,
  guard: Guard,
  nowMs: () => number = () => performance.now(),
): InboxHost {
  const receiveAll = (inbox: SocketInbox, first: Promise<void> | null) => inbox.receiveAll(first)
  return {
    ...{ turns, nowMs },
    receiveAll: guard.wrap('take messages', receiveAll, (_failure, inbox) => inbox.abandon()),
  }
}

interface Message {
  readonly data: RawData
  readonly isBinary: boolean
}

/** What a socket is to its inbox. */
export interface InboxSocket {
  readonly webSocket: Pick<WebSocket, 'terminate'>
  readonly reading: SocketReading
  readonly receive: (data: RawData, isBinary: boolean) => void
}

/** The inbox of one socket. */
export class SocketInbox {
  readonly #host: InboxHost
  readonly #socket: InboxSocket
  /** Null until one had to wait. */
  #waiting: Line<Message | (() => void)> | null = null
  #isGoing = false
  /** What it may still send at once, as of then. */
  #leftBytes = BURST_BYTES
  #atMs = 0

  constructor(host: InboxHost, socket: InboxSocket) {
    this.#host = host
    this.#socket = socket
  }

  /** A message has come. */
  accept(data: RawData, isBinary: boolean): void {
    const { turns, receiveAll } = this.#host
    const isFree = !this.#isGoing && this.#restMs() === 0
    const turn = isFree ? turns.wait() : null
    if (isFree && turn === null) {
      this.#receive({ data, isBinary })
      return
    }
    this.#wait({ data, isBinary })
    this.#socket.reading.hold()
    if (!this.#isGoing) receiveAll(this, turn)
  }

  /** Calls it once what has come by now has been read: what a client has not said may be among that. */
  afterTaken(run: () => void): void {
    if (this.#isGoing) this.#wait(run)
    else run()
  }

  #wait(next: Message | (() => void)): void {
    this.#waiting ??= new Line()
    this.#waiting.push(next)
  }

  /** Takes those that wait. @param first the turn of the first; null where it has none yet */
  async receiveAll(first: Promise<void> | null): Promise<void> {
    this.#isGoing = true
    for (let turn = first; (this.#waiting?.length ?? 0) > 0; turn = null) {
      const restMs = this.#restMs()
      if (restMs > 0) await delay(restMs, undefined, { ref: false })
      await (turn ?? this.#host.turns.wait())
      const next = this.#waiting?.shift()
      if (typeof next === 'function') next()
      else if (next !== undefined) this.#receive(next)
    }
    this.#isGoing = false
    this.#socket.reading.release()
  }

  #receive({ data, isBinary }: Message): void {
    this.#leftBytes -= (data as Buffer).length
    this.#socket.receive(data, isBinary)
  }

  /** How long nothing more of it is read. */
  #restMs(): number {
    const nowMs = this.#host.nowMs()
    this.#leftBytes = Math.min(BURST_BYTES, this.#leftBytes + (nowMs - this.#atMs) * BYTES_PER_MS)
    this.#atMs = nowMs
    return Math.max(0, -this.#leftBytes / BYTES_PER_MS)
  }

  /** A message has failed it: those behind it are not read. */
  abandon(): void {
    this.#waiting = null
    this.#socket.webSocket.terminate()
  }
}
