/**
 * Beside the bus, broker. One connection to Redis, however many wait for it, and none once its owner is closed, also where
 * one was on its way.
 */
import { RowcastError } from '../errors.ts'
import { openRedisConnection, type RedisConnection } from './redis-connection.ts'

/** What it needs. */
export interface SingleConnectionOptions {
  readonly url: string
  /** What `CLIENT LIST` shows. */
  readonly name: string
  /** Each new one is ready once this has resolved. */
  readonly onOpened?: ((connection: RedisConnection) => Promise<void>) | undefined
  readonly onLost?: (() => void) | undefined
}

/** One per owner. */
export class SingleConnection {
  readonly #options: SingleConnectionOptions
  #current: RedisConnection | null = null
  #opening: Promise<RedisConnection> | null = null
  #isClosed = false

  constructor(options: SingleConnectionOptions) {
    this.#options = options
  }

  /** The latest, which may be lost by now; null before the first and after the end. */
  get current(): RedisConnection | null {
    return this.#current
  }

  /** One that is open. @throws BROKER_UNREACHABLE, BROKER_REFUSED, BROKER_LOST */
  async open(): Promise<RedisConnection> {
    if (this.#isClosed) throw closed()
    if (this.#current?.isOpen) return this.#current
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  close(): void {
    this.#isClosed = true
    this.#current?.destroy()
    this.#current = null
  }

  async #connect(): Promise<RedisConnection> {
    const { url, name, onOpened, onLost } = this.#options
    const opened = await openRedisConnection({ url, name, onEnd: onLost })
    if (this.#isClosed) {
      opened.destroy()
      throw closed()
    }
    this.#current = opened
    await onOpened?.(opened)
    return opened
  }
}

const closed = () => new RowcastError('BROKER_LOST', 'The connection to Redis was closed by its owner.')
