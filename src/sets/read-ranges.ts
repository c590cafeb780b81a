/** Beside the spine, sets. Which keys have been read in which snapshot: pages in the order of the key, each with a fence of its own. Pure. */
import { domainOf } from '../bus/filter/field-domain.ts'
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { Fence } from './fence.ts'
import { isSeekable } from './seek.ts'

/** Keys up to this one, from the end of the range before; null: all that are left. */
interface ReadRange {
  upTo: AnyRow | null
  readonly fence: Fence
}

/** Negative where the first key stands before the second one. */
export type CompareKeys = (a: AnyRow, b: AnyRow) => number

/**
 * How PostgreSQL orders the primary keys of the model; null where that is not known here: of text, whose order is that of its
 * collation.
 */
export function keyOrderOf(model: ModelSpec, catalog: ModelCatalog): CompareKeys | null {
  const parts = model.primaryKey.map((name) => {
    const field = model.fields.find((each) => each.name === name)
    const isOrdered =
      field !== undefined && isSeekable(field) && (field.type !== 'String' || field.nativeType === 'Uuid')
    return isOrdered ? { name, domain: domainOf(field, catalog) } : null
  })
  const known = parts.flatMap((part) => (part?.domain == null ? [] : [{ ...part, domain: part.domain }]))
  if (known.length < parts.length) return null
  return (a, b) => {
    for (const { name, domain } of known) {
      const order = domain.compare(domain.normalize(a[name]), domain.normalize(b[name]))
      if (order !== 0) return order
    }
    return 0
  }
}

/** The ranges that have been read, from the first key on without a gap. */
export class ReadRanges {
  readonly #compare: CompareKeys
  readonly #ranges: ReadRange[] = []
  #endLsn: Lsn | null = null

  constructor(compare: CompareKeys) {
    this.#compare = compare
  }

  /** See `Fence.endLsn`: of all of them. Null before the first. */
  get endLsn(): Lsn | null {
    return this.#endLsn
  }

  /** The next range; null for `upTo` with the last one. */
  add(upTo: AnyRow | null, fence: Fence): void {
    if (this.#endLsn === null || fence.endLsn > this.#endLsn) this.#endLsn = fence.endLsn
    const last = this.#ranges.at(-1)
    // While nothing is written, all pages are of one snapshot.
    if (last?.fence.text === fence.text) last.upTo = upTo
    else this.#ranges.push({ upTo, fence })
  }

  /** The fence that the row with the key was read at, or would have been. */
  fenceOf(key: AnyRow): Fence {
    let [low, high] = [0, this.#ranges.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      const { upTo } = this.#ranges[middle] as ReadRange
      if (upTo !== null && this.#compare(key, upTo) > 0) low = middle + 1
      else high = middle
    }
    return (this.#ranges[low] as ReadRange).fence
  }

  /** Whether every range, some, or none sees the transaction. */
  seenBy(transaction: Parameters<Fence['sees']>[0]): 'all' | 'some' | 'none' {
    const count = this.#ranges.filter(({ fence }) => fence.sees(transaction)).length
    return count === 0 ? 'none' : count === this.#ranges.length ? 'all' : 'some'
  }
}
