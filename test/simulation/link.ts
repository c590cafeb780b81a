/**
 * A network of one's own: sockets whose bytes take their time, come in pieces, stop coming, or are cut off. Each link joins a
 * client's socket with a session of a server.
 */
import { Buffer } from 'node:buffer'
import { Duplex } from 'node:stream'
import type { Random } from '../chaos/random.ts'
import { type Machine, runOn } from './virtual-time.ts'

/** How links behave. */
export interface Weather {
  /** Milliseconds that a chunk is under way, at least and at most. */
  readonly latencyMs: readonly [number, number]
  /** How many chunks are broken in two. */
  readonly brokenShare: number
}

/** The server's side of a link. */
export interface ServerEnd {
  /** Bytes from the client. */
  take(bytes: Buffer): void
  /** The link is gone, or the client has left. */
  gone(): void
}

/** One direction: chunks in their order. */
class Lane {
  readonly #random: Random
  readonly #weather: Weather
  readonly #arrive: (bytes: Buffer | null) => void
  #dueMs = 0
  #isSilent = false
  /** Bytes until the lane falls silent. */
  #left = Number.POSITIVE_INFINITY
  underWay = 0
  /** Where it leads; null: to the server. */
  readonly #machine: () => Machine | null

  constructor(
    random: Random,
    weather: Weather,
    arrive: (bytes: Buffer | null) => void,
    machine: () => Machine | null,
  ) {
    this.#machine = machine
    this.#random = random
    this.#weather = weather
    this.#arrive = arrive
  }

  silenceAfter(bytes: number): void {
    this.#left = Math.min(this.#left, bytes)
  }

  /** Null: the end. */
  send(bytes: Buffer | null): void {
    if (this.#isSilent) return
    if (bytes !== null && bytes.length > this.#left) {
      this.#pass(bytes.subarray(0, this.#left))
      this.#isSilent = true
      return
    }
    if (bytes !== null) this.#left -= bytes.length
    if (bytes !== null && bytes.length > 1 && this.#random.chance(this.#weather.brokenShare)) {
      const cut = this.#random.integer(1, bytes.length - 1)
      this.#pass(bytes.subarray(0, cut))
      this.#pass(bytes.subarray(cut))
    } else this.#pass(bytes)
  }

  #pass(bytes: Buffer | null): void {
    if (bytes?.length === 0) return
    const [least, most] = this.#weather.latencyMs
    this.#dueMs = Math.max(this.#dueMs, performance.now() + this.#random.integer(least, most))
    this.underWay += bytes?.length ?? 0
    runOn(this.#machine(), () =>
      setTimeout(() => {
        this.underWay -= bytes?.length ?? 0
        this.#arrive(bytes)
      }, this.#dueMs - performance.now()),
    )
  }
}

/** Who is asked for a connection; null: nobody listens there. */
export type Accept = (link: Link) => ServerEnd | null

/** Both directions of one connection. */
export class Link {
  readonly socket: SimSocket
  readonly #toServer: Lane
  readonly #toClient: Lane
  #server: ServerEnd | null = null
  #isCut = false
  /** Whose socket it is. */
  machine: Machine | null = null

  constructor(random: Random, weather: Weather, accept: Accept) {
    this.socket = new SimSocket(this)
    this.#toServer = new Lane(
      random,
      weather,
      (bytes) => {
        if (this.#isCut) return
        if (bytes === null) this.#leave()
        else this.#server?.take(bytes)
      },
      () => null,
    )
    this.#toClient = new Lane(
      random,
      weather,
      (bytes) => {
        if (!this.#isCut) this.socket.arrive(bytes)
      },
      () => this.machine,
    )
    this.#accept = accept
    this.#random = random
    this.#weather = weather
  }

  readonly #accept: Accept
  readonly #random: Random
  readonly #weather: Weather

  /** Bytes under way to the client, and those it has not read. */
  get backlog(): number {
    return this.#toClient.underWay + this.socket.waiting
  }

  connect(): void {
    const [, most] = this.#weather.latencyMs
    setTimeout(
      () => {
        if (this.#isCut || this.socket.destroyed) return
        this.#server = runOn(null, () => this.#accept(this))
        if (this.#server === null) this.socket.destroy(connectionError('ECONNREFUSED'))
        else this.socket.emit('connect')
      },
      this.#random.integer(0, 2 * most),
    )
  }

  fromClient(bytes: Buffer | null): void {
    this.#toServer.send(bytes)
  }

  fromServer(bytes: Buffer | null): void {
    if (!this.#isCut) this.#toClient.send(bytes)
  }

  /** Nothing passes any more once so many bytes have, and nobody hears of it. */
  fallSilent(bytes: number, direction: 'both' | 'toClient' | 'toServer' = 'both'): void {
    if (direction !== 'toServer') this.#toClient.silenceAfter(bytes)
    if (direction !== 'toClient') this.#toServer.silenceAfter(bytes)
  }

  /** Both ends hear at once that it is gone. */
  cut(): void {
    if (this.#isCut) return
    this.#isCut = true
    const reset = (): void => void this.socket.destroy(connectionError('ECONNRESET'))
    // Who is paused hears of it afterwards.
    runOn(this.machine, () => (this.machine?.isPaused === true ? void setTimeout(reset, 0) : reset()))
    this.#leave()
  }

  /** The client has destroyed its socket; the server hears of it unless the link is silent. */
  abandoned(): void {
    this.#toServer.send(null)
  }

  #leave(): void {
    const server = this.#server
    this.#server = null
    server?.gone()
  }
}

function connectionError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** What PostgreSQL's driver takes for a socket. */
export class SimSocket extends Duplex {
  readonly #link: Link
  #pending: (Buffer | null)[] = []
  #isWanted = false

  constructor(link: Link) {
    super({ allowHalfOpen: true })
    this.#link = link
  }

  /** Bytes that the client has not read. */
  get waiting(): number {
    return this.#pending.reduce((sum, bytes) => sum + (bytes?.length ?? 0), this.readableLength)
  }

  connect(): this {
    this.#link.connect()
    return this
  }

  arrive(bytes: Buffer | null): void {
    if (this.destroyed) return
    this.#pending.push(bytes)
    this.#flow()
  }

  override _read(): void {
    this.#isWanted = true
    this.#flow()
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#link.fromClient(Buffer.from(chunk))
    done()
  }

  /** What was written while it was corked goes in one. */
  override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
    this.#link.fromClient(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    done()
  }

  override _final(done: () => void): void {
    this.#link.fromClient(null)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#pending = []
    this.#link.abandoned()
    done(error)
  }

  #flow(): void {
    while (this.#isWanted && this.#pending.length > 0) {
      const bytes = this.#pending.shift() as Buffer | null
      this.#isWanted = this.push(bytes)
      // The server has closed: so do we, as a socket that is not half open does.
      if (bytes === null && !this.writableEnded) this.end()
    }
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
