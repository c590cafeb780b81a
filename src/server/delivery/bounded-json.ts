/**
 * Stage 8, server. The JSON of a result, unless it is too long. What is sure to be is not even made: the same text may be in a result fifteen times under
 * other names, once in memory, and fifteen times in its JSON.
 */
import { isLongerThan } from '../errors/delivery-failure.ts'

/** The text; null where it has more bytes as UTF-8. */
export function jsonWithin(value: object, bytesMax: number): string | null {
  if (hasLongerTexts(value, bytesMax)) return null
  const text = JSON.stringify(value)
  return isLongerThan(text, bytesMax) ? null : text
}

/** Whether its texts alone are longer; a UTF-16 unit is one byte or more, and a member of a list or an object is one at the least. */
export function hasLongerTexts(value: unknown, bytesMax: number): boolean {
  let left = bytesMax
  const waiting: { readonly each: unknown; readonly depth: number }[] = [{ each: value, depth: 0 }]
  for (let next = waiting.pop(); next !== undefined && left >= 0; next = waiting.pop()) {
    const { each, depth } = next
    if (typeof each === 'string') left -= each.length
    if (typeof each !== 'object' || each === null || hasOwnJson(each)) continue
    if (depth > DEPTH_MAX) return false
    for (const member of membersOf(each)) {
      left -= 1
      if (left < 0) break
      if (typeof member === 'object' || typeof member === 'string')
        waiting.push({ each: member, depth: depth + 1 })
    }
  }
  return left < 0
}

/** One after the other: nothing is made of all that a long list has. */
function* membersOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) yield* value
  else for (const name in value) yield Reflect.get(value, name)
}

/** JSON goes no deeper: what does, as what is within itself, has none at all. */
const DEPTH_MAX = 5_000

/** What its JSON is, only it knows. */
function hasOwnJson(value: object): boolean {
  return typeof Reflect.get(value, 'toJSON') === 'function'
}
