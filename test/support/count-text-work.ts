/**
 * How many characters of text a function looks at: the strings' and regular expressions' own methods count while it
 * runs. A measure of work without a clock, the same on every machine.
 */

type AnyMethod = (this: unknown, ...args: unknown[]) => unknown

const length = (value: unknown): number => String(value).length

/** Characters that one call looks at, by method of String. */
const STRING_WORK: Readonly<
  Record<string, (text: string, args: readonly unknown[], result: unknown) => number>
> = {
  indexOf: (text, [search, from = 0], result) => {
    const end = typeof result === 'number' && result >= 0 ? result + length(search) : text.length
    return Math.max(1, end - Number(from))
  },
  lastIndexOf: (text, [, from = text.length], result) =>
    Math.max(1, Math.min(text.length, Number(from)) - Math.max(0, Number(result))),
  includes: (text) => text.length,
  startsWith: (_text, [search]) => 1 + length(search),
  endsWith: (_text, [search]) => 1 + length(search),
  slice: (_text, _args, result) => 1 + length(result),
  split: (text) => 1 + text.length,
  toLowerCase: (text) => 1 + text.length,
  replaceAll: (text) => 1 + text.length,
  charAt: () => 1,
  charCodeAt: () => 1,
  codePointAt: () => 1,
}

/** Runs it and counts. */
export function countTextWork(run: () => unknown): number {
  let work = 0
  const strings = String.prototype as unknown as Record<string, AnyMethod>
  const originals = Object.keys(STRING_WORK).map((name) => [name, strings[name] as AnyMethod] as const)
  const exec = RegExp.prototype.exec
  for (const [name, original] of originals) {
    strings[name] = function counted(this: unknown, ...args: unknown[]) {
      const result = original.apply(this, args)
      work += STRING_WORK[name]?.(String(this), args, result) ?? 0
      return result
    }
  }
  // A match is linear in what it passes over: tools/linear-expressions.test.ts.
  RegExp.prototype.exec = function counted(this: RegExp, text: string) {
    const from = this.global || this.sticky ? this.lastIndex : 0
    const match = exec.call(this, text)
    work += 1 + (match === null ? text.length - from : match.index + match[0].length - from)
    return match
  }
  try {
    run()
  } finally {
    for (const [name, original] of originals) strings[name] = original
    RegExp.prototype.exec = exec
  }
  return work
}
