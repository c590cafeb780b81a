/**
 * Stage 8, server. The `next` frames of one WebSocket, from all its subscriptions: written together at the end of a
 * turn, straight to the TCP socket, as long as that holds back no more than it may.
 */
import { WebSocket } from 'ws'
import type { Guard } from '../../guard.ts'
import { CountedSocket, takenBytesOf } from '../limits/counted-socket.ts'
import { SocketBudget } from '../limits/socket-budget.ts'
import { SocketReading } from '../limits/socket-reading.ts'
import type { DeliveryTurn, Flushable } from './delivery-turn.ts'
import type { FrameBatch, FrameTarget } from './frame-batch.ts'

/** A subscription that has something to say. */
export interface FrameSource {
  /** Whether it stands in its outbox's line, and who is next there; the outbox's own. */
  isInLine: boolean
  following: FrameSource | null
  /**
   * Adds a bounded number of frames, until the batch is longer than `bytesMax`; false when it may have more to add.
   * One that is waiting for something enlists itself again.
   */
  addFrames(frames: FrameBatch, bytesMax: number): boolean
  /** Set when it has added its last frame, and wants to know when that is written. */
  readonly isEnding: boolean
  afterWrite(): void
}

/** What an outbox needs. ws writes to the TCP socket as well: in order, as it neither compresses nor sends blobs here. */
export interface SocketOutboxOptions extends FrameTarget {
  /** What the socket may hold back before its subscriptions wait. */
  readonly bufferedBytesMax: number
  /** Shared by all sockets of a server. */
  readonly frames: FrameBatch
  readonly turn: DeliveryTurn
  readonly guard: Guard
  /** Whether the client is listened to. @default as long as not too much is unread */
  readonly reading?: SocketReading | undefined
  /** What all sockets of the server hold back. @default no bound */
  readonly budget?: SocketBudget | undefined
}

const EMPTY = Buffer.alloc(0)
const UNBOUNDED = new SocketBudget(Number.POSITIVE_INFINITY)
/** The longest that others wait for one socket's frames to be made; one subscription's may take as long again. */
const FLUSH_MS = 2
/** Who writes so much at once waits behind those with little to say the next time: one of many such is not to go first. */
const HEAVY_BYTES = 64 * 1024

/** The outbox of one socket. */
export class SocketOutbox extends CountedSocket implements Flushable {
  isLagging = false
  readonly #target: FrameTarget
  readonly #webSocket: WebSocket
  readonly #bufferedBytesMax: number
  readonly #reading: SocketReading
  readonly #frames: FrameBatch
  readonly #turn: DeliveryTurn
  /** Those that have something to say, in a line. */
  #first: FrameSource | null = null
  #last: FrameSource | null = null
  #isAdded = false
  #isFull = false
  readonly #onWritten: () => void
  readonly #onTaken: () => void

  constructor(options: SocketOutboxOptions) {
    const { socket, webSocket, bufferedBytesMax, frames, turn, guard, budget = UNBOUNDED } = options
    super(budget)
    this.#target = { socket, webSocket }
    this.#webSocket = webSocket
    this.#bufferedBytesMax = bufferedBytesMax
    this.#reading = options.reading ?? new SocketReading(webSocket, bufferedBytesMax)
    this.#frames = frames
    this.#turn = turn
    this.#onTaken = guard.wrap('go on reading', () => {
      this.recount()
      this.#reading.resume()
    })
    socket.on('drain', this.#onTaken)
    socket.once(
      'close',
      guard.wrap('count what a socket held', () => this.forget()),
    )
    this.#onWritten = guard.wrap('go on writing', () => this.#onRoom())
  }

  /**
   * Has the subscription add its frames at the end of this turn, or once there is room. It may have several reasons before
   * that: a change that came, and a result that was waited for. Standing in line twice would make the line a circle.
   */
  enlist(source: FrameSource): void {
    this.#line(source)
    this.#schedule()
  }

  flush(): void {
    this.#isAdded = false
    const webSocket = this.#webSocket
    const frames = this.#frames
    let source = this.#first
    if (this.#isFull || source === null) return
    this.#first = null
    this.#last = null
    // A socket that closes takes no more frames; its subscriptions are ended when it has closed.
    if (webSocket.readyState !== WebSocket.OPEN) return
    const bytesMax = this.budget.allowance(this.#bufferedBytesMax) - webSocket.bufferedAmount
    const untilMs = this.budget.nowMs + FLUSH_MS
    let ending: FrameSource[] | null = null
    while (source !== null) {
      const { following }: FrameSource = source
      source.following = null
      source.isInLine = false
      const isOver = frames.byteLength > bytesMax || this.budget.nowMs > untilMs
      if (isOver || !source.addFrames(frames, bytesMax)) this.#line(source)
      else if (source.isEnding) ending = [...(ending ?? []), source]
      source = following
    }
    this.#isFull = frames.byteLength > bytesMax
    this.isLagging = this.#isFull || this.#first !== null || frames.byteLength > HEAVY_BYTES
    frames.writeTo(this.#target, this.#isFull ? this.#onWritten : null)
    this.recount()
    // Of little that waits Node.js does not say that it was taken.
    if (this.heldBytes > 0 && !this.#isFull) this.#target.socket.write(EMPTY, this.#onTaken)
    if (ending !== null) for (const ended of ending) ended.afterWrite()
    if (this.#first !== null) this.#schedule()
  }

  abandon(): void {
    this.#first = null
    this.#last = null
    this.#frames.discard()
    this.#webSocket.terminate()
  }

  #line(source: FrameSource): void {
    if (source.isInLine) return
    source.isInLine = true
    if (this.#last === null) this.#first = source
    else this.#last.following = source
    this.#last = source
  }

  #schedule(): void {
    if (this.#isAdded || this.#isFull) return
    this.#isAdded = true
    this.#turn.add(this)
  }

  protected override unsentBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  protected override takenBytes(): number {
    return takenBytesOf(this.#target.socket)
  }

  protected override terminate(): void {
    this.#webSocket.terminate()
  }

  /** The socket has taken everything. */
  #onRoom(): void {
    this.#isFull = false
    this.recount()
    this.#reading.resume()
    if (this.#first !== null) this.#schedule()
  }
}
