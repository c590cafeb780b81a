/**
 * Beside the bus, broker. What a relation looks like, as a value of its own: the Type messages of its columns, the Relation
 * message, and those of its partitions that do not log whole rows, each behind its length. Known by a digest of itself, so the same relation is the same one however
 * often PostgreSQL describes it.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { RowcastError } from '../errors.ts'
import { decodeMessage } from '../pgoutput/decode.ts'
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts'

/** A definition and its name. */
export interface RelationDefinition {
  /** 16 hexadecimal digits. */
  readonly digest: string
  readonly bytes: Buffer
}

/** Puts one together from messages as they came. */
export function encodeRelationDefinition(messages: readonly Buffer[]): RelationDefinition {
  const parts = messages.flatMap((message) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(message.length)
    return [length, message]
  })
  const bytes = Buffer.concat(parts)
  return { digest: digestOfRelation(bytes), bytes }
}

/** The name of a definition: so that what is read can be held against it. */
export function digestOfRelation(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

/** Takes one apart. @throws BROKER_ENTRY_UNREADABLE */
export function decodeRelationDefinition(bytes: Buffer): readonly (TypeMessage | RelationMessage)[] {
  const messages: (TypeMessage | RelationMessage)[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + (at + 4 <= bytes.length ? bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY)
    const message = end <= bytes.length ? decodeMessage(bytes, at + 4, end) : null
    if (message?.kind !== 'type' && message?.kind !== 'relation') {
      throw new RowcastError('BROKER_ENTRY_UNREADABLE', 'What a relation looks like cannot be read.')
    }
    messages.push(message)
    at = end
  }
  return messages
}
