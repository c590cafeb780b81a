/**
 * Stage 8, server. The messages of WebSockets, those of each one after the other. Reading one takes up to a millisecond, and many sockets may each send
 * one within the same turn of the event loop: all of them together have a share of each turn, and whoever waits for it is not listened to meanwhile.
 */
import type { RawData, WebSocket } from 'ws'
import { Line } from '../../bus/line.ts'
import { TurnShare } from '../../bus/turn-share.ts'
import type { Guard } from '../../guard.ts'

/** What takes the messages of one socket. */
export type Receive = (data: RawData, isBinary: boolean) => void

/** What the inboxes of a server share: many sockets never have to wait. */
export class Inboxes {
  readonly turns: TurnShare
  /** Beyond it a client that does not read is not listened to either. */
  readonly bufferedBytesMax: number
  readonly receiveAll: (inbox: SocketInbox, first: Promise<void>) => void

  constructor(guard: Guard, bufferedBytesMax: number) {
    this.turns = new TurnShare({ guard })
    this.bufferedBytesMax = bufferedBytesMax
    const receiveAll = (inbox: SocketInbox, first: Promise<void>) => inbox.receiveAll(first)
    this.receiveAll = guard.wrap('take messages', receiveAll, (_failure, inbox) => inbox.abandon())
  }
}

interface Message {
  readonly data: RawData
  readonly isBinary: boolean
}

/** The inbox of one socket. */
export class SocketInbox {
  readonly #host: Inboxes
  readonly #webSocket: WebSocket
  readonly #receive: Receive
  /** Null until one had to wait. */
  #waiting: Line<Message> | null = null

  constructor(host: Inboxes, webSocket: WebSocket, receive: Receive) {
    this.#host = host
    this.#webSocket = webSocket
    this.#receive = receive
  }

  /** A message has come. */
  take(data: RawData, isBinary: boolean): void {
    const { turns, receiveAll } = this.#host
    const isFirst = this.#waiting === null || this.#waiting.length === 0
    const turn = isFirst ? turns.wait() : null
    if (isFirst && turn === null) {
      this.#receive(data, isBinary)
      return
    }
    this.#waiting ??= new Line<Message>()
    this.#waiting.push({ data, isBinary })
    this.#webSocket.pause()
    if (turn !== null) receiveAll(this, turn)
  }

  /** Takes those that wait, from the turn on that the first of them has. */
  async receiveAll(first: Promise<void>): Promise<void> {
    const { turns, bufferedBytesMax } = this.#host
    for (let turn: Promise<void> | null = first; ; turn = turns.wait()) {
      if (turn !== null) await turn
      const message = this.#waiting?.shift()
      if (message !== undefined) this.#receive(message.data, message.isBinary)
      if ((this.#waiting?.length ?? 0) === 0) break
    }
    // Else it is resumed by what makes room.
    if (this.#webSocket.bufferedAmount <= bufferedBytesMax) this.#webSocket.resume()
  }

  /** A message has failed it: those behind it are not read. */
  abandon(): void {
    this.#waiting = null
    this.#webSocket.terminate()
  }
}
