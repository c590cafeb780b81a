/**
 * Stage 4, changes. Keeps parts for long: their changes lie in slabs that are used again when the oldest parts go, so that a full
 * log takes the same memory however fast changes come and go. Parts that lie in such slabs already stay where they are.
 */
import { RecycledSlabs } from './byte-slabs.ts'
import type { TransactionPart } from './change.ts'
import { ChangePacker } from './change-packer.ts'
import { PackedChanges } from './packed-changes.ts'

/** Keeps parts, and lets them go in the order they came. */
export class ChangeKeeper {
  readonly #packer = new ChangePacker(new RecycledSlabs())

  /** The same part, to be kept. */
  keep(part: TransactionPart): TransactionPart {
    const { changes } = part
    if (!(changes instanceof PackedChanges) || changes.isRecycled) return part
    changes.copyTo(this.#packer)
    return { ...part, changes: this.#packer.finish(part.transaction) }
  }

  /** The oldest part that was kept goes; nobody reads it any more. */
  release({ changes }: TransactionPart): void {
    if (changes instanceof PackedChanges) changes.release()
  }
}
