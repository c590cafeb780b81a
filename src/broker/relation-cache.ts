/** Beside the bus, broker. What relations look like, by digest, fetched once: a digest never means anything else. */
import { Buffer } from 'node:buffer'
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import type { Entry } from './entry-codec.ts'
import type { RedisConnection } from './redis/redis-connection.ts'
import { decodeRelationDefinition, digestOfRelation } from './relation-definition.ts'

/** One for all readers of a process. */
export class RelationCache {
  readonly #known = new Map<string, readonly (TypeMessage | RelationMessage)[]>()

  get(digest: string): readonly (TypeMessage | RelationMessage)[] | undefined {
    return this.#known.get(digest)
  }

  /** Fetches what entries refer to; returns what Redis does not have, or has damaged. @throws BROKER_… */
  async load(
    connection: RedisConnection,
    key: string,
    entries: readonly Entry[],
  ): Promise<ReadonlySet<string>> {
    const wanted = new Set<string>()
    for (const { relations } of entries) {
      for (const digest of relations) if (!this.#known.has(digest)) wanted.add(digest)
    }
    if (wanted.size === 0) return wanted
    const digests = [...wanted]
    const reply = await connection.send(['HMGET', key, ...digests])
    const found: readonly unknown[] = Array.isArray(reply) ? reply : []
    for (const [index, digest] of digests.entries()) {
      const bytes = found[index]
      if (!Buffer.isBuffer(bytes) || digestOfRelation(bytes) !== digest) continue
      this.#known.set(digest, decodeRelationDefinition(bytes))
      wanted.delete(digest)
    }
    return wanted
  }
}
