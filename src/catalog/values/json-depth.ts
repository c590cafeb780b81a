/**
 * Stage 3, catalog. How deeply a Json value may be nested. Whoever walks over a value recursively (JSON.stringify among
 * them) needs stack for each level: V8 overflows from about 3,000 levels on, PostgreSQL stores 8,000. Deeper values are
 * refused where they come in, so that nobody behind has to think of it.
 */

/** Levels of lists and objects within each other at most. */
export const JSON_DEPTH_MAX = 1_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** Whether a JSON text is nested more deeply than `depthMax`. Reads the text once; short ones not at all. */
export function isJsonTextDeeper(text: string, depthMax: number = JSON_DEPTH_MAX): boolean {
  // Each level takes two characters.
  if (text.length <= 2 * depthMax) return false
  let depth = 0
  let isInString = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (isInString) {
      if (code === BACKSLASH) at += 1
      else if (code === QUOTE) isInString = false
    } else if (code === QUOTE) isInString = true
    else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1
      if (depth > depthMax) return true
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth -= 1
  }
  return false
}

/** Whether a value is nested more deeply than `depthMax`; its own recursion ends there, even where the value is a circle. */
export function isValueDeeper(value: unknown, depthMax: number = JSON_DEPTH_MAX): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (depthMax === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) if (isValueDeeper(item, depthMax - 1)) return true
    return false
  }
  const members = value as Readonly<Record<string, unknown>>
  for (const name in members) if (isValueDeeper(members[name], depthMax - 1)) return true
  return false
}

/** What is still to be written: a value, or a piece of text. */
type Pending = { readonly value: unknown } | string

/** The text of a Json value, however deeply it is nested: as JSON.stringify has it, which needs stack for each level. */
export function jsonTextOf(value: unknown): string {
  const pending: Pending[] = [{ value }]
  let text = ''
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next === 'string') text += next
    else if (typeof next.value !== 'object' || next.value === null)
      text += JSON.stringify(next.value) ?? 'null'
    else for (const part of partsOf(next.value).reverse()) pending.push(part)
  }
  return text
}

function partsOf(value: object): Pending[] {
  if (Array.isArray(value))
    return ['[', ...value.flatMap((item, at) => [at === 0 ? '' : ',', { value: item }]), ']']
  const members = Object.entries(value).flatMap(([name, item], at) => [
    `${at === 0 ? '' : ','}${JSON.stringify(name)}:`,
    { value: item as unknown },
  ])
  return ['{', ...members, '}']
}
