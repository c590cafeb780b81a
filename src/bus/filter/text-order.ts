/**
 * Stage 6, bus. Text as PostgreSQL orders and lower-cases it under the collations C, C.UTF-8 and pg_c_utf8:
 * by code point, with Unicode's simple mapping. Other collations order differently; see docs/filters.md.
 */

const SURROGATE_MIN = 0xd800
const SURROGATE_MAX = 0xdfff

/** Code points above the surrogates, in UTF-16, must sort after U+FFFF, which `<` on strings gets wrong. */
function fixUp(unit: number): number {
  if (unit < SURROGATE_MIN) return unit
  return unit > SURROGATE_MAX ? unit - 0x800 : unit + 0x2000
}

/** Negative, zero or positive: the order of code points, which is the order of the UTF-8 bytes. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return fixUp(left) - fixUp(right)
  }
  return a.length - b.length
}

/** What a comparison with the empty text is of whatever text there is: none is less. Undefined where it depends, and of any other bound. */
export function answerOfAnyText(isInOrder: (order: number) => boolean, bound: unknown): boolean | undefined {
  return bound === '' && isInOrder(0) === isInOrder(1) ? isInOrder(0) : undefined
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII, whole
const ASCII = /^[\x00-\x7f]*$/

/** `lower()`: one code point for one, whatever its neighbours. */
export function lowerCase(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  let lower = ''
  for (const character of text) {
    const mapped = character.toLowerCase()
    // U+0130 alone becomes two; the simple mapping is the first.
    lower += mapped.length > character.length ? String.fromCodePoint(mapped.codePointAt(0) ?? 0) : mapped
  }
  return lower
}
