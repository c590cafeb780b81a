/** Beside the bus, broker. What relations look like, by digest, fetched once: a digest never means anything else. */
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'
import type { Entry } from './entry-codec.ts'
import type { EntryLog } from './entry-log.ts'
import { decodeRelationDefinition, digestOfRelation } from './relation-definition.ts'

/** One for all readers of a process. */
export class RelationCache {
  readonly #known = new Map<string, readonly (TypeMessage | RelationMessage)[]>()

  get(digest: string): readonly (TypeMessage | RelationMessage)[] | undefined {
    return this.#known.get(digest)
  }

  /** Fetches what entries refer to; returns what the broker does not have, or has damaged. @throws BROKER_… */
  async load(
    log: Pick<EntryLog, 'readFields'>,
    name: string,
    entries: readonly Entry[],
  ): Promise<ReadonlySet<string>> {
    const wanted = new Set<string>()
    for (const { relations } of entries) {
      for (const digest of relations) if (!this.#known.has(digest)) wanted.add(digest)
    }
    if (wanted.size === 0) return wanted
    const digests = [...wanted]
    const found = await log.readFields(name, digests)
    for (const [index, digest] of digests.entries()) {
      const bytes = found[index] ?? null
      if (bytes === null || digestOfRelation(bytes) !== digest) continue
      this.#known.set(digest, decodeRelationDefinition(bytes))
      wanted.delete(digest)
    }
    return wanted
  }
}
