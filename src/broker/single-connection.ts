/**
 * Beside the bus, broker. One connection to the broker, however many wait for it, and none once its owner is closed, also where
 * one was on its way.
 */
import { RowcastError } from '../errors.ts'
import type { BrokerEngine, EntryLog } from './entry-log.ts'

export interface SingleConnectionOptions {
  readonly engine: BrokerEngine
  /** What the engine lists it as. */
  readonly name: string
  /** Each new one is ready once this has resolved. */
  readonly onOpened?: ((log: EntryLog) => Promise<void>) | undefined
  readonly onLost?: (() => void) | undefined
}

/** One per owner. */
export class SingleConnection {
  readonly #options: SingleConnectionOptions
  #current: EntryLog | null = null
  #opening: Promise<EntryLog> | null = null
  readonly #closing = new AbortController()

  constructor(options: SingleConnectionOptions) {
    this.#options = options
  }

  /** The latest, which may be lost by now; null before the first and after the end. */
  get current(): EntryLog | null {
    return this.#current
  }

  /** One that is open. @throws BROKER_UNREACHABLE, BROKER_REFUSED, BROKER_LOST */
  async open(): Promise<EntryLog> {
    if (this.#closing.signal.aborted) throw closed()
    if (this.#current?.isOpen) return this.#current
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  close(): void {
    this.#closing.abort()
    this.#current?.destroy()
    this.#current = null
  }

  async #connect(): Promise<EntryLog> {
    const { engine, name, onOpened, onLost } = this.#options
    const { signal } = this.#closing
    const opened = await engine.open({ name, signal, onEnd: onLost })
    if (signal.aborted) {
      opened.destroy()
      throw closed()
    }
    this.#current = opened
    await onOpened?.(opened)
    return opened
  }
}

const closed = () => new RowcastError('BROKER_LOST', 'The connection to Redis was closed by its owner.')
