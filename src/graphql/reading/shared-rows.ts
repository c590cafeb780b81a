/**
 * Stage 7, graphql. Rows that were read once for several who asked for them, and belong to each: a resolver of the application that masks or
 * adds in place must not do so for the others. Each gets a copy when its turn comes, and the last one the rows themselves.
 */
import { isTree, leafCopy } from '../policy/own-copy.ts'
import type { HandOutPace } from './hand-outs.ts'

/** Values that are copied in one go. */
const COPIED_AT_ONCE = 1_024
/** Json may be nested deeply, and rows of a client with extensions may have themselves within them. */
const LEVELS_MAX = 5_000

/** Rows of several who asked for them. */
export class SharedRows {
  readonly #rows: unknown
  #waiting: number
  #copying = 0

  /** @param askers each of which takes them once, or never */
  constructor(rows: unknown, askers: number) {
    this.#rows = rows
    this.#waiting = askers
  }

  /** Those of one of them, nobody else's. @throws where no copy can be made: some values are computed when they are read */
  async take(pace: HandOutPace): Promise<unknown> {
    this.#waiting -= 1
    // Nobody looks at them any more: whoever copies them needs them as they were read.
    if (this.#waiting === 0 && this.#copying === 0) return this.#rows
    this.#copying += 1
    try {
      const copy = new RowCopy(this.#rows)
      while (!copy.copySome(COPIED_AT_ONCE)) await pace.pause()
      return copy.value
    } finally {
      this.#copying -= 1
    }
  }
}

/** An object of the copy that still has what is in the original. */
interface Shallow {
  readonly own: object
  /** Of its values; those of a list have numbers. */
  readonly names: readonly string[] | null
  readonly level: number
  /** Values that are copied. */
  done: number
}

/** A copy down to the last value, made piece by piece; a Decimal stays, since nobody can change it. */
class RowCopy {
  readonly #open: Shallow[] = []
  readonly #root: [unknown]

  constructor(value: unknown) {
    this.#root = [value]
    this.#begin(this.#root, 0)
  }

  get value(): unknown {
    return this.#root[0]
  }

  /** Whether that was all. */
  copySome(valuesMax: number): boolean {
    for (let count = 0; count < valuesMax; ) {
      const shallow = this.#open.at(-1)
      if (shallow === undefined) return true
      const { own, names } = shallow
      if (shallow.done < (names ?? (own as readonly unknown[])).length) {
        this.#copyMember(own, names?.[shallow.done] ?? shallow.done, shallow.level)
        shallow.done += 1
        count += 1
      } else this.#open.pop()
    }
    return false
  }

  #copyMember(own: object, name: string | number, level: number): void {
    const member: unknown = Reflect.get(own, name)
    const copy = shallowCopy(member)
    if (copy === member) return
    // It has a value of this name already: one that is called __proto__ is a value as well.
    Reflect.set(own, name, copy)
    if (isTree(copy)) this.#begin(copy, level + 1)
  }

  #begin(own: object, level: number): void {
    if (level > LEVELS_MAX) throw new RangeError('Rows are nested too deeply.')
    this.#open.push({ own, names: Array.isArray(own) ? null : Object.keys(own), level, done: 0 })
  }
}

function shallowCopy(value: unknown): unknown {
  if (!isTree(value)) return leafCopy(value)
  return Array.isArray(value) ? Array.from(value) : Object.fromEntries(Object.entries(value))
}
