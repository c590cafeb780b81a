/** Beside the bus, broker. What relations look like, by digest, fetched once: a digest never means anything else. */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../errors.ts'
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import type { Entry } from './entry-codec.ts'
import type { RedisConnection, RedisReply } from './redis-connection.ts'
import { decodeRelationDefinition } from './relation-definition.ts'

/** One for all readers of a process. */
export class RelationCache {
  readonly #known = new Map<string, readonly (TypeMessage | RelationMessage)[]>()

  get(digest: string): readonly (TypeMessage | RelationMessage)[] | undefined {
    return this.#known.get(digest)
  }

  /** Fetches what entries refer to. @throws BROKER_ENTRY_UNREADABLE, BROKER_… */
  async load(connection: RedisConnection, key: string, entries: readonly Entry[]): Promise<void> {
    const missing = new Set<string>()
    for (const { relations } of entries) {
      for (const digest of relations) if (!this.#known.has(digest)) missing.add(digest)
    }
    if (missing.size === 0) return
    const digests = [...missing]
    const replies = (await connection.send(['HMGET', key, ...digests])) as readonly RedisReply[]
    for (const [index, digest] of digests.entries()) {
      const bytes = replies[index]
      if (!Buffer.isBuffer(bytes)) {
        throw new RowcastError(
          'BROKER_ENTRY_UNREADABLE',
          'What a relation looks like is not in Redis any more.',
        )
      }
      this.#known.set(digest, decodeRelationDefinition(bytes))
    }
  }
}
