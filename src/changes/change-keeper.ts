/**
 * Stage 4, changes. Keeps parts for long: their changes move to slabs that are used again when the oldest parts go, so
 * that a full log takes the same memory however fast changes come and go.
 *
 * They are copied, although the slabs that they were packed in could be kept as they are, which is one copy less of each row: the log
 * did that for a while. A slab has rows of many transactions, and stays whole as long as one of them is kept: what the log let go of by
 * its own count stayed in memory, most of all behind a gap, where it lets go of the parts of some models and keeps those of others.
 */
import { RecycledSlabs } from './byte-slabs.ts'
import type { TransactionPart } from './change.ts'
import { ChangePacker } from './change-packer.ts'
import { PackedChanges } from './packed-changes.ts'

/** Keeps parts, and lets them go in the order they came. */
export class ChangeKeeper {
  readonly #slabs = new RecycledSlabs()
  readonly #packer = new ChangePacker(this.#slabs)

  /** The same part, to be kept. */
  keep(part: TransactionPart): TransactionPart {
    if (!(part.changes instanceof PackedChanges)) return part
    part.changes.copyTo(this.#packer)
    return { ...part, changes: this.#packer.finish(part.transaction) }
  }

  /** The oldest part that was kept goes; nobody reads it any more. */
  release({ changes }: TransactionPart): void {
    const slab = changes instanceof PackedChanges ? changes.lastSlab : undefined
    if (slab !== undefined) this.#slabs.releaseBefore(slab)
  }
}
