/** Parts with changes that cannot be read: bytes that nobody foresaw. And logs of a broker that fails. */
import type { OlderLog } from '../../src/bus/bus.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { toLsn } from '../../src/wire/lsn.ts'

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

/** What is older than the log: these parts; after them, the broker fails. @param error null where it fails no more, and nothing comes */
export function failingOlderLog(parts: readonly TransactionPart[], error: () => Error | null): OlderLog {
  return {
    hasReached: async () => true,
    read: () => {
      let read = 0
      let position = { commitLsn: toLsn(0n), index: 0 }
      return {
        get position() {
          return position
        },
        next: async () => {
          const part = parts[read]
          const failure = error()
          if (part === undefined && failure !== null) throw failure
          if (part === undefined) return []
          read += 1
          position = { commitLsn: part.transaction.commitLsn, index: part.changes.length - 1 }
          return [part]
        },
      }
    },
  }
}
