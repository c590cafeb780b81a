/**
 * Beside the bus, broker. Who may write to a slot's stream: the tap that took it last. One that was stopped for a while, or
 * cut off from PostgreSQL, may still have a batch on its way when another one has taken over: nothing of it arrives.
 *
 * The key that names the writer is watched from right behind each batch, and read once it is watched: whoever takes it
 * from then on makes the next EXEC fail, and whoever took it before is seen. It costs no wait of its own.
 * Source: Redis documentation, "Transactions", "Optimistic locking using check-and-set".
 */
import { RowcastError } from '../../errors.ts'
import { type RedisConnection, sendTransaction } from './redis-connection.ts'

/** Commands of Redis. */
type Commands = readonly (readonly string[])[]

/** One per stream of a tap. */
export class WriteFence {
  readonly #connection: RedisConnection
  readonly #key: string
  readonly #writerId: string

  /** @param key names the writer */
  constructor(connection: RedisConnection, key: string, writerId: string) {
    this.#connection = connection
    this.#key = key
    this.#writerId = writerId
  }

  /** Takes the stream, together with other commands, unless a key that is watched has changed. @throws BROKER_STREAM_CONTESTED */
  async take(commands: Commands): Promise<void> {
    const taking = ['SET', this.#key, this.#writerId]
    const replies = await sendTransaction(this.#connection, [...commands, taking])
    if (replies === null) throw contested()
  }

  /** Watches from now on. @throws BROKER_STREAM_CONTESTED when it is another's, BROKER_STREAM_LOST when it is nobody's */
  async watch(): Promise<void> {
    const watching = this.#connection.send(['WATCH', this.#key])
    const [writer] = await Promise.all([this.#connection.send(['GET', this.#key]), watching])
    if (writer === null) throw lost()
    if (String(writer) !== this.#writerId) throw contested()
  }

  /** Why a batch was not taken; watching has ended with it. */
  async explain(changesKey: string): Promise<RowcastError> {
    return Number(await this.#connection.send(['XLEN', changesKey])) === 0 ? lost() : contested()
  }
}

function lost(): RowcastError {
  return new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
}

function contested(): RowcastError {
  return new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has taken the stream.')
}
