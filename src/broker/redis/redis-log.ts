/**
 * Beside the bus, broker. The log in Redis (or Valkey): streams, hashes and strings. Source: Redis documentation, "Redis
 * Streams", "Transactions", "WAIT".
 */
import type { Buffer } from 'node:buffer'
import { RowcastError } from '../../errors.ts'
import { type EntryId, formatEntryId, SEQUENCE_MAX } from '../entry-id.ts'
import type {
  BrokerEngine,
  EntryLog,
  EntryRange,
  FollowedEntries,
  FollowPosition,
  LogWrite,
  LogWriter,
  RawEntry,
} from '../entry-log.ts'
import { commandOf } from './redis-commands.ts'
import {
  openRedisConnection,
  type RedisConnection,
  sendTransaction,
  waitAtServerMs,
  watchKeys,
} from './redis-connection.ts'
import {
  toClockMs,
  toCount,
  toEntriesByKey,
  toFields,
  toFieldsByName,
  toLastGeneratedId,
  toRawEntries,
  toText,
} from './redis-stream-reply.ts'
import { judgeReplies, RedisWriter } from './redis-writer.ts'

/** Redis at an address, as the engine of a broker. */
export function createRedisEngine({
  url,
  answerTimeoutMs,
}: {
  readonly url: string
  readonly answerTimeoutMs: number
}): BrokerEngine {
  const followMs = waitAtServerMs(answerTimeoutMs)
  return {
    followMs,
    open: async (options) =>
      new RedisLog(await openRedisConnection({ ...options, url, answerTimeoutMs }), followMs),
  }
}

/** What follows on somebody else's entry, whose own sequence is not kept, comes with the next LSN. */
function formatAfter(id: EntryId): string {
  return id.sequence < SEQUENCE_MAX ? formatEntryId(id) : `${id.lsn}-${2n ** 64n - 1n}`
}

/** The log over one connection. */
export class RedisLog implements EntryLog {
  readonly #connection: RedisConnection
  readonly #waitMs: number
  /** What ends with EXEC or UNWATCH on a connection ends all that is watched on it: one at a time. */
  #updated: Promise<unknown> = Promise.resolve()

  /** @param waitMs how long a command may wait at the server */
  constructor(connection: RedisConnection, waitMs = 1_000) {
    this.#connection = connection
    this.#waitMs = waitMs
  }

  get isOpen(): boolean {
    return this.#connection.isOpen
  }

  destroy(): void {
    this.#connection.destroy()
  }

  async checkWritable(name: string, text: string): Promise<void> {
    await this.#connection.send(['SET', name, text, 'PX', '1000'])
  }

  async readEntries(stream: string, { after, from, count }: EntryRange): Promise<readonly RawEntry[]> {
    const start = after === undefined ? '-' : `(${formatEntryId(after)}`
    const limit = count === undefined ? [] : ['COUNT', String(count)]
    const range = [stream, from === undefined ? start : formatEntryId(from), '+', ...limit]
    return toRawEntries(await this.#connection.send(['XRANGE', ...range]))
  }

  async readBackwards(stream: string, before: EntryId | null, count: number): Promise<readonly RawEntry[]> {
    const start = before === null ? '+' : `(${formatEntryId(before)}`
    const range = [stream, start, '-', 'COUNT', String(count)]
    return toRawEntries(await this.#connection.send(['XREVRANGE', ...range]))
  }

  async follow(position: FollowPosition, count: number, waitMs: number): Promise<FollowedEntries> {
    const { changes, marks, after, afterMark } = position
    const wait = waitMs === 0 ? [] : ['BLOCK', String(waitMs)]
    const where = ['STREAMS', changes, marks, formatAfter(after), formatAfter(afterMark)]
    const reply = await this.#connection.send(['XREAD', 'COUNT', String(count), ...wait, ...where])
    const found = toEntriesByKey(reply)
    return { entries: found.get(changes) ?? [], mark: found.get(marks)?.at(-1) ?? null }
  }

  async readNewestId(stream: string): Promise<EntryId> {
    return toLastGeneratedId(await this.#connection.send(['XINFO', 'STREAM', stream]))
  }

  async has(name: string): Promise<boolean> {
    return toCount(await this.#connection.send(['EXISTS', name])) > 0
  }

  async countEntries(stream: string): Promise<number> {
    return toCount(await this.#connection.send(['XLEN', stream]))
  }

  async measureEntries(stream: string): Promise<number> {
    return toCount(await this.#connection.send(['MEMORY', 'USAGE', stream]))
  }

  async readText(name: string): Promise<string | null> {
    return toText(await this.#connection.send(['GET', name]))
  }

  async measureText(name: string): Promise<number> {
    return toCount(await this.#connection.send(['STRLEN', name]))
  }

  async readFields(name: string, fields: readonly string[]): Promise<readonly (Buffer | null)[]> {
    return toFields(await this.#connection.send(['HMGET', name, ...fields]))
  }

  async readAllFields(name: string): Promise<ReadonlyMap<string, Buffer>> {
    return toFieldsByName(await this.#connection.send(['HGETALL', name]))
  }

  async readClockMs(): Promise<number> {
    return toClockMs(await this.#connection.send(['TIME']))
  }

  /** WAIT counts the writes of its own connection, and all that came before them. */
  async countReplicas(name: string, wanted: number): Promise<number> {
    const waitMs = String(this.#waitMs)
    // One turn: the two leave together.
    const [, reached] = await Promise.all([
      this.#connection.send(['SET', name, 'replicas', 'PX', waitMs]),
      this.#connection.send(['WAIT', String(wanted), waitMs]),
    ])
    return toCount(reached)
  }

  /** Source: Redis documentation, "Key eviction". Null also for a user who may not ask. */
  async readEvictionPolicy(): Promise<string | null> {
    const info = await this.#connection.send(['INFO', 'memory']).catch(() => '')
    const policy = /^maxmemory_policy:(\S+)/m.exec(String(info))?.[1]
    return policy === undefined || policy === 'noeviction' ? null : policy
  }

  update(names: readonly string[], decide: () => Promise<readonly LogWrite[] | null>): Promise<boolean> {
    const updating = this.#updated.then(() => this.#update(names, decide))
    this.#updated = updating.catch(() => {})
    return updating
  }

  openWriter(name: string, writerId: string): LogWriter {
    return new RedisWriter(this.#connection, name, writerId)
  }

  async #update(
    names: readonly string[],
    decide: () => Promise<readonly LogWrite[] | null>,
  ): Promise<boolean> {
    // Of a writer that has ended its watch stands: who has written since has nothing to do with this.
    await watchKeys(this.#connection, names)
    const writes = await decide().catch(async (error: unknown) => {
      await this.#connection.send(['UNWATCH']).catch(() => {})
      throw error
    })
    if (writes === null) {
      await this.#connection.send(['UNWATCH'])
      return true
    }
    const replies = await sendTransaction(this.#connection, writes.map(commandOf))
    if (replies === null) return false
    const { kind } = judgeReplies(this.#connection, replies, writes)
    if (kind === 'accepted') return true
    throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
  }
}
