/**
 * Beside the spine, sets. Totals as they are kept: how many rows there are; of whole numbers the sum, exactly; the least and the greatest
 * values, as long as it is not they that leave. Everything else is read again.
 */
import type { FieldSpec, ModelCatalog } from '../catalog/model-catalog.ts'
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { AnyRow } from '../changes/change.ts'
import type { KeptView } from './kept-parts.ts'
import type { StepEffect } from './ordered-window.ts'
import { compareValues } from './row-order.ts'
import type { SetStep } from './set-step.ts'

/** Of which fields. */
export interface TotalsRequest {
  readonly sum: readonly FieldSpec[]
  readonly min: readonly FieldSpec[]
  readonly max: readonly FieldSpec[]
}

/** Totals as they are shown: as Prisma's `aggregate` gives them. */
export interface ShownTotals {
  readonly count: number
  readonly sum: AnyRow
  readonly min: AnyRow
  readonly max: AnyRow
}

/** The same, with how many rows have a value: the sum of none is null. */
export interface LoadedTotals extends ShownTotals {
  readonly filled: Readonly<Record<string, number>>
  readonly bytes: number
}

interface KeptTotals {
  count: number
  readonly filled: Record<string, number>
  readonly sum: Record<string, unknown>
  readonly min: Record<string, unknown>
  readonly max: Record<string, unknown>
}

const WHOLE_TYPES: ReadonlySet<string> = new Set(['Int', 'BigInt'])

/** What Prisma's `aggregate` is asked for. */
export function totalsQuery({ sum, min, max }: TotalsRequest): object {
  const picked = (fields: readonly FieldSpec[]) =>
    Object.fromEntries(fields.map(({ name }) => [name, true] as const))
  const parts = { _sum: sum, _min: min, _max: max }
  const asked = Object.entries(parts).filter(([, fields]) => fields.length > 0)
  return {
    _count: { _all: true, ...picked(sum) },
    ...Object.fromEntries(asked.map(([name, fields]) => [name, picked(fields)])),
  }
}

/** What it answers. */
export function loadedTotals(answer: unknown): LoadedTotals {
  const { _count, _sum, _min, _max } = Object(answer) as Readonly<Record<string, AnyRow | undefined>>
  const { _all, ...filled } = Object(_count) as Record<string, number>
  return { count: _all ?? 0, filled, sum: _sum ?? {}, min: _min ?? {}, max: _max ?? {}, bytes: 0 }
}

/** Those of one group. */
export class TotalsView implements KeptView<LoadedTotals, ShownTotals> {
  readonly #request: TotalsRequest
  readonly #catalog: ModelCatalog
  readonly #bytesOf: (value: unknown) => number
  #kept: KeptTotals = { count: 0, filled: {}, sum: {}, min: {}, max: {} }

  /** @param bytesOf what a value takes in memory, by estimate */
  constructor(request: TotalsRequest, catalog: ModelCatalog, bytesOf: (value: unknown) => number) {
    this.#request = request
    this.#catalog = catalog
    this.#bytesOf = bytesOf
  }

  /** The least text may be a long one. */
  get bytes(): number {
    return this.#bytesOf(this.#kept)
  }

  reset({ count, filled, sum, min, max }: LoadedTotals): void {
    this.#kept = { count, filled: { ...filled }, sum: { ...sum }, min: { ...min }, max: { ...max } }
  }

  empty(): void {
    const none = (fields: readonly FieldSpec[]) => Object.fromEntries(fields.map(({ name }) => [name, null]))
    const { sum, min, max } = this.#request
    const filled = Object.fromEntries(sum.map(({ name }) => [name, 0]))
    this.#kept = { count: 0, filled, sum: none(sum), min: none(min), max: none(max) }
  }

  apply({ before, after }: SetStep): StepEffect {
    const { sum, min, max } = this.#request
    const [left, come] = [before?.row ?? null, after?.row ?? null]
    const more = Number(come !== null) - Number(left !== null)
    this.#kept.count += more
    const effects = [
      more === 0 ? 'none' : 'changed',
      ...sum.map((field) => this.#add(field, left, come)),
      ...min.map((field) => this.#extreme(field, { left, come, of: 'min' })),
      ...max.map((field) => this.#extreme(field, { left, come, of: 'max' })),
    ] satisfies StepEffect[]
    return effects.find((each) => each === 'unknown') ?? effects.find((each) => each === 'changed') ?? 'none'
  }

  applyUnsure({ before, after }: SetStep): StepEffect {
    const { sum, min, max } = this.#request
    const isSame = ({ name }: FieldSpec) => {
      const text = canonicalText(before?.row[name] ?? null)
      return text !== null && text === canonicalText(after?.row[name] ?? null)
    }
    return after !== null && [...sum, ...min, ...max].every(isSame) ? 'none' : 'unknown'
  }

  shown(): ShownTotals {
    const { count, sum, min, max } = this.#kept
    return { count, sum: { ...sum }, min: { ...min }, max: { ...max } }
  }

  #add(field: FieldSpec, left: AnyRow | null, come: AnyRow | null): StepEffect {
    const { name, type } = field
    const [minus, plus] = [left?.[name] ?? null, come?.[name] ?? null]
    if (minus === plus) return 'none'
    if (!WHOLE_TYPES.has(type)) return 'unknown'
    const { sum, filled } = this.#kept
    const count = (filled[name] ?? 0) + Number(plus !== null) - Number(minus !== null)
    const known = sum[name] ?? 0
    // Prisma Client gives no such sum of Int, which a number may have rounded: reading again says so.
    if (typeof known === 'number' && !Number.isSafeInteger(known)) return 'unknown'
    const exact = BigInt(known as number) + whole(plus) - whole(minus)
    const shown = type === 'BigInt' ? exact : Number(exact)
    if (typeof shown === 'number' && !Number.isSafeInteger(shown)) return 'unknown'
    filled[name] = count
    sum[name] = count === 0 ? null : shown
    return 'changed'
  }

  #extreme(field: FieldSpec, { left, come, of }: Extreme): StepEffect {
    const kept = this.#kept[of]
    const compare = compareValues(this.#catalog, field)
    const { name } = field
    const [minus, plus, at] = [left?.[name] ?? null, come?.[name] ?? null, kept[name] ?? null]
    const sign = of === 'min' ? 1 : -1
    const order = minus === null || at === null ? 1 : compare(minus, at)
    const added = plus === null ? 1 : at === null ? -1 : compare(plus, at)
    if (order === null || added === null) return 'unknown'
    const isBetter = plus !== null && (at === null || sign * added < 0)
    const isEqual = plus !== null && at !== null && added === 0
    // PostgreSQL shows either of two that are equal and do not look the same: 'a' and 'A' of citext.
    if (isEqual && canonicalText(plus) !== canonicalText(at)) return 'unknown'
    // It was the last one of its value, as far as is known.
    if (minus !== null && at !== null && order === 0 && !isBetter && !isEqual) return 'unknown'
    if (!isBetter) return 'none'
    kept[name] = plus
    return 'changed'
  }
}

interface Extreme {
  readonly left: AnyRow | null
  readonly come: AnyRow | null
  readonly of: 'min' | 'max'
}

function whole(value: unknown): bigint {
  return value === null ? 0n : BigInt(value as number | bigint)
}
