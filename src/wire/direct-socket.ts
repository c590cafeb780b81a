/**
 * Stage 1, wire. A socket that reads into one buffer, again and again. A stream of Node's allocates 64 KiB for each
 * read, however little it brings; and a walsender sends every change for itself, so that a reader which is faster than
 * the server would spend its time, and the server's, on reads of a few hundred bytes.
 */
import { Buffer } from 'node:buffer'
import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net'
import { contain } from '../guard.ts'
import { ReadPace } from './read-pace.ts'

/** What one read brings at most. */
const READ_BYTES_MAX = 65_536
/** How long nothing is read, so that the next read brings more. */
const REST_MS = 1

/** A socket for the driver, to be taken over later. */
export interface DirectSocket {
  readonly socket: Socket
  /** Gets what arrives; the bytes are valid during the call only. Null: the socket's own `data` events do. */
  accept: ((bytes: Buffer) => void) | null
  /** Stops (and resumes) reading. */
  pause(): void
  resume(): void
}

/** Creates it. Under TLS the driver reads from a socket of its own on top of it, and `accept` gets nothing. `pace` says when to rest. */
export function createDirectSocket(
  pace: Pick<ReadPace, 'isRestDue'> = new ReadPace(() => performance.now()),
): DirectSocket {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES_MAX)
  let isPaused = false
  const options: SocketConstructorOpts & ConnectOpts = {
    onread: {
      buffer,
      callback: contain(takeIn, fail),
    },
  }
  const socket = new Socket(options)

  /** What is thrown ends the socket, and with it the stream. Whether to read on: no. */
  function fail(error: Error): boolean {
    socket.destroy(error)
    return false
  }

  /** Whether to read on. */
  function takeIn(length: number): boolean {
    const bytes = buffer.subarray(0, length)
    if (direct.accept === null) return socket.push(Buffer.from(bytes))
    direct.accept(bytes)
    if (pace.isRestDue(length) && !isPaused) rest()
    return true
  }

  function rest(): void {
    socket.pause()
    const goOn = (): boolean => {
      if (!isPaused) socket.resume()
      return true
    }
    setTimeout(contain(goOn, fail), REST_MS)
  }

  const direct: DirectSocket = {
    socket,
    accept: null,
    pause() {
      isPaused = true
      socket.pause()
    },
    resume() {
      isPaused = false
      socket.resume()
    },
  }
  return direct
}
