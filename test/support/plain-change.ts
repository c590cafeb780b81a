/** Changes without a tuple, for tests of what comes after stage 4. */
import type { AnyChange, TransactionInfo } from '../../src/changes/change.ts'
import { formatCursor, type StreamOrigin } from '../../src/changes/cursor.ts'
import { ownCopy } from '../../src/graphql/policy/own-copy.ts'
import { toLsn } from '../../src/wire/lsn.ts'

/** The history of every plain change. */
export const PLAIN_ORIGIN: StreamOrigin = { systemId: '7000000000000000001', timeline: 1 }

/** A transaction that committed at this LSN; its xid is the same number. */
export function plainTransaction(commitLsn: number, details: Partial<TransactionInfo> = {}): TransactionInfo {
  return {
    xid: commitLsn,
    commitLsn: toLsn(BigInt(commitLsn)),
    committedAt: new Date(0),
    origin: PLAIN_ORIGIN,
    metadata: null,
    ...details,
  }
}

/** A change that says what the test says, and nothing else. */
export function plainChange(details: Partial<AnyChange> = {}): AnyChange {
  const transaction = details.transaction ?? plainTransaction(1)
  const index = details.index ?? 0
  const change: AnyChange = {
    model: 'User',
    action: 'UPDATE',
    transaction,
    index,
    old: null,
    new: null,
    key: null,
    changed: [],
    unavailable: [],
    oldKey: null,
    operation: { action: 'UPDATE', old: null, new: null },
    cursor: formatCursor(transaction.origin, transaction.commitLsn, index),
    // Rows of its own, as the bytes give them each time.
    fresh: () => ({
      ...change,
      old: ownCopy(change.old) as AnyChange['old'],
      new: ownCopy(change.new) as AnyChange['new'],
    }),
    ...details,
  }
  return change
}
