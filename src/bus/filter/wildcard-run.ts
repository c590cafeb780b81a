/**
 * Stage 6, bus. Finds a run of characters and `_` in one pass over a text, whatever repeats in either: each bit of the
 * state says that the text read last ends with that many units of the run. (Shift-And: Baeza-Yates and Gonnet, "A New
 * Approach to Text Searching", 1992.)
 */
/** One character of a run: a code point as text, or null for `_`. */
export type Unit = string | null

/** Finds a run in a text. */
export interface RunFinder {
  /** End of its first occurrence from `start` on; −1 when there is none, null where the text is too long to say. */
  readonly find: (text: string, start: number) => number | null
  /** What a character of the text costs, where looking for a text as it is costs 1. */
  readonly weight: number
}

const WORD_BITS = 32
/** Characters times words of state that one search may take: some tens of milliseconds. */
const STEPS_MAX = 16_000_000

/** Characters whose bits are found by index. */
const TABLE_LENGTH = 256

/** The finder of a run. */
export function createRunFinder(units: readonly Unit[]): RunFinder {
  const wordCount = Math.ceil(units.length / WORD_BITS)
  const weight = 4 * wordCount
  return { weight, find: wordCount === 1 ? oneWordFinder(units) : manyWordsFinder(units, wordCount) }
}

function oneWordFinder(units: readonly Unit[]): RunFinder['find'] {
  const { anyWhere, bitsByPoint } = bitsOfUnits(units, 1)
  const [any = 0] = anyWhere
  const table = Int32Array.from({ length: TABLE_LENGTH }, (_, point) => bitsByPoint.get(point)?.[0] ?? any)
  const last = 1 << (units.length - 1)
  return (text, start) => {
    if (text.length - start > STEPS_MAX) return null
    let state = 0
    for (let at = start; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit < TABLE_LENGTH) {
        state = ((state << 1) | 1) & (table[unit] as number)
      } else {
        const point = text.codePointAt(at) as number
        if (point > 0xffff) at += 1
        state = ((state << 1) | 1) & (bitsByPoint.get(point)?.[0] ?? any)
      }
      if ((state & last) !== 0) return at + 1
    }
    return -1
  }
}

function manyWordsFinder(units: readonly Unit[], wordCount: number): RunFinder['find'] {
  const { anyWhere, bitsByPoint } = bitsOfUnits(units, wordCount)
  const lastWord = wordCount - 1
  const lastBit = 1 << ((units.length - 1) % WORD_BITS)
  return (text, start) => {
    if ((text.length - start) * wordCount > STEPS_MAX) return null
    const state = new Int32Array(wordCount)
    for (let at = start; at < text.length; ) {
      const point = text.codePointAt(at) as number
      at += point > 0xffff ? 2 : 1
      advance(state, bitsByPoint.get(point) ?? anyWhere)
      if (((state[lastWord] as number) & lastBit) !== 0) return at
    }
    return -1
  }
}

/** For each character of the run the units it can stand for; for all others those that any can. */
function bitsOfUnits(units: readonly Unit[], wordCount: number) {
  const anyWhere = bitsOf(units, (unit) => unit === null, wordCount)
  const bitsByPoint = new Map<number, Int32Array>()
  for (const unit of units) {
    const point = unit?.codePointAt(0)
    if (point === undefined || bitsByPoint.has(point)) continue
    const bits = bitsOf(units, (each) => each === null || each === unit, wordCount)
    bitsByPoint.set(point, bits)
  }
  return { anyWhere, bitsByPoint }
}

/** Every beginning of the run that the text ended with goes on by one unit, and a new one begins. */
function advance(state: Int32Array, bits: Int32Array): void {
  let carry = 1
  for (let word = 0; word < state.length; word++) {
    const before = state[word] as number
    state[word] = ((before << 1) | carry) & (bits[word] as number)
    carry = before >>> (WORD_BITS - 1)
  }
}

function bitsOf(units: readonly Unit[], isSet: (unit: Unit) => boolean, wordCount: number): Int32Array {
  const bits = new Int32Array(wordCount)
  for (const [index, unit] of units.entries()) {
    const word = Math.floor(index / WORD_BITS)
    if (isSet(unit)) bits[word] = (bits[word] as number) | (1 << (index % WORD_BITS))
  }
  return bits
}
