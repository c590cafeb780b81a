/**
 * Beside the bus, broker. Who may write to a slot's stream: the tap that took it last. One that was stopped for a while, or
 * cut off from PostgreSQL, may still have a batch on its way when another one has taken over: nothing of it arrives.
 *
 * The key that names the writer is watched from right behind each batch, and read once it is watched: whoever takes it
 * from then on makes the next EXEC fail, and whoever took it before is seen. It costs no wait of its own.
 * Source: Redis documentation, "Transactions", "Optimistic locking using check-and-set".
 */
import { RowcastError } from '../../errors.ts'
import type { EntryId } from '../entry-id.ts'
import type { Committed, LogWrite, LogWriter } from '../entry-log.ts'
import { commandOf } from './redis-commands.ts'
import {
  describeRefusal,
  type RedisConnection,
  type RedisReply,
  sendTransaction,
  watchKeys,
  wordOf,
} from './redis-connection.ts'
import { isList, noAnswer, toCount, toText } from './redis-stream-reply.ts'

/** One per stream of a tap. */
export class RedisWriter implements LogWriter {
  readonly #connection: RedisConnection
  readonly #key: string
  readonly #writerId: string
  /** Resolves once the stream is known to be ours still; null: nothing is watched. */
  #guarded: Promise<void> | null = null

  /** @param key names the writer */
  constructor(connection: RedisConnection, key: string, writerId: string) {
    this.#connection = connection
    this.#key = key
    this.#writerId = writerId
  }

  ready(): Promise<void> {
    this.#guarded ??= this.#watch()
    return this.#guarded
  }

  async commit(stream: string, writes: readonly LogWrite[]): Promise<Committed> {
    const sent = sendTransaction(this.#connection, writes.map(commandOf))
    this.#guarded = this.#watch()
    // The next batch waits for it.
    this.#guarded.catch(() => {})
    const replies = await sent
    if (replies !== null) return judgeReplies(this.#connection, replies, writes)
    const isGone = toCount(await this.#connection.send(['XLEN', stream])) === 0
    return { kind: isGone ? 'lost' : 'contested' }
  }

  /** Watches from now on. @throws BROKER_STREAM_CONTESTED when it is another's, BROKER_STREAM_LOST when it is nobody's */
  async #watch(): Promise<void> {
    const watching = watchKeys(this.#connection, [this.#key])
    const [writer] = await Promise.all([this.#connection.send(['GET', this.#key]), watching])
    if (writer === null) throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    if (toText(writer) === this.#writerId) return
    throw new RowcastError('BROKER_STREAM_CONTESTED', 'Another tap has taken the stream.')
  }
}

/**
 * What the answers within EXEC say. Redis does the rest where one of the commands is refused, so each is looked at: of an
 * entry, an id that is not the next one is an answer; of whatever else, a refusal is a failure.
 * @throws BROKER_REFUSED, BROKER_OUT_OF_MEMORY, BROKER_LOST
 */
export function judgeReplies(
  connection: RedisConnection,
  replies: RedisReply,
  writes: readonly LogWrite[],
): Committed {
  if (!isList(replies) || replies.length !== writes.length) throw noAnswer()
  const refused = new Set<EntryId>()
  let isLost = false
  for (const [at, write] of writes.entries()) {
    const reply = replies[at]
    if (write.kind === 'entry' && reply === null) isLost = true
    if (!(reply instanceof Error)) continue
    // `ERR` alone: the id is not greater than the last. Source: Redis, t_stream.c, streamAppendItem.
    if (write.kind !== 'entry' || wordOf(reply) !== 'ERR')
      throw describeRefusal(reply, connection.address) ?? noAnswer()
    refused.add(write.id)
  }
  return isLost ? { kind: 'lost' } : { kind: 'accepted', refused }
}
