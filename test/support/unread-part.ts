/** Parts with changes that cannot be read: bytes that nobody foresaw. */
import type { TransactionPart } from '../../src/changes/change.ts'

/** The part, with a change at the offset that cannot be decoded. @param error what is thrown, each time the same */
export function partUnreadAt(part: TransactionPart, offset: number, error: unknown): TransactionPart {
  const all = [...part.changes]
  return {
    ...part,
    changes: {
      length: all.length,
      modelAt: (at) => all[at]?.model ?? '',
      indexAt: (at) => all[at]?.index ?? 0,
      at(at) {
        if (at === offset) throw error
        return all[at]
      },
      [Symbol.iterator]: () => all[Symbol.iterator](),
    },
  }
}
