/**
 * Stage 2, pgoutput. What the first bytes of a message say, for whoever hands most messages on as they are: which message it is, and
 * what it is about. Outside streamed blocks, where an xid comes first. Source: PostgreSQL manual, "Logical Replication Message Formats".
 */
import { readUint32 } from './big-endian.ts'

const BEGIN = 0x42 // 'B'
const COMMIT = 0x43 // 'C'
const RELATION = 0x52 // 'R'
const INSERT = 0x49 // 'I'
const UPDATE = 0x55 // 'U'
const DELETE = 0x44 // 'D'

/** 'C', flags, LSN of the commit, LSN of its end. */
const COMMIT_END_OFFSET = 10
const COMMIT_END_BYTES = 8

/** Whether a transaction begins here. */
export function isBegin(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === BEGIN
}

/** Whether a transaction ends here. */
export function isCommit(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === COMMIT
}

/** Whether a table is described. */
export function isRelation(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === RELATION
}

/** OID of the relation whose row is inserted, updated or deleted; null for any other message. */
export function rowRelationOf(bytes: Uint8Array, start: number): number | null {
  const tag = bytes[start]
  return tag === INSERT || tag === UPDATE || tag === DELETE ? readUint32(bytes, start + 1) : null
}

/** Where the transaction ends whose commit the message is; null for any other, or one that is cut. */
export function commitEndOf(bytes: Uint8Array, start: number, end: number): bigint | null {
  const at = start + COMMIT_END_OFFSET
  if (bytes[start] !== COMMIT || end - at < COMMIT_END_BYTES) return null
  return (BigInt(readUint32(bytes, at)) << 32n) | BigInt(readUint32(bytes, at + 4))
}
