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
  const waiting: unknown[] = [value]
  while (waiting.length > 0 && left >= 0) {
    const each = waiting.pop()
    if (typeof each === 'string') left -= each.length
    else if (Array.isArray(each)) {
      left -= each.length
      for (let at = 0; at < each.length && left >= 0; at += 1) waiting.push(each[at])
    } else if (typeof each === 'object' && each !== null && !hasOwnJson(each)) {
      for (const name in each) {
        left -= 1
        waiting.push(Reflect.get(each, name))
      }
    }
  }
  return left < 0
}

/** What its JSON is, only it knows. */
function hasOwnJson(value: object): boolean {
  return typeof Reflect.get(value, 'toJSON') === 'function'
}
