/** Stage 8, server. Whether a WebSocket is listened to: not while it has too much unread, and not while what it has sent waits for its turn. */
import type { WebSocket } from 'ws'

type Readable = Pick<WebSocket, 'pause' | 'resume' | 'isPaused' | 'bufferedAmount'>

/** Of one socket. */
export class SocketReading {
  /** What may be unread. */
  readonly bufferedBytesMax: number
  readonly #webSocket: Readable
  #isHeld = false
  #wasHeld = false

  constructor(webSocket: Readable, bufferedBytesMax: number) {
    this.#webSocket = webSocket
    this.bufferedBytesMax = bufferedBytesMax
  }

  /** What it has sent waits: it is not listened to before `release`. */
  hold(): void {
    this.#isHeld = true
    this.#wasHeld = true
    this.#webSocket.pause()
  }

  release(): void {
    this.#isHeld = false
    this.resume()
  }

  /** Whether it was held since this was asked last: what it has said since may not have been heard. */
  takeHeld(): boolean {
    const was = this.#wasHeld
    this.#wasHeld = this.#isHeld
    return was
  }

  /** It may have read something: it is listened to again, unless there is another reason not to. */
  resume(): void {
    const { isPaused, bufferedAmount } = this.#webSocket
    if (!this.#isHeld && isPaused && bufferedAmount <= this.bufferedBytesMax) this.#webSocket.resume()
  }
}
