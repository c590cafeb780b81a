/** Stage 3, catalog. One text for equal values, so that what asks for the same is known to be the same. */
import { Decimal } from '../prisma-runtime.ts'

/** The text; null where a value is of a kind whose equality is not known here. */
export function canonicalText(value: unknown): string | null {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return `n${Object.is(value, -0) ? 0 : value}`
  if (typeof value === 'bigint') return `i${value}`
  if (typeof value !== 'object') return null
  if (value instanceof Date) return `t${value.getTime()}`
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString('base64')}`
  if (value instanceof Decimal) return `d${value.toString()}`
  if (Array.isArray(value)) return joined(value.map(canonicalText), '[', ']')
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return null
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  const members = entries.map(([name, member]) => {
    const text = canonicalText(member)
    return text === null ? null : `${JSON.stringify(name)}:${text}`
  })
  return joined(members, '{', '}')
}

function joined(texts: readonly (string | null)[], open: string, close: string): string | null {
  return texts.includes(null) ? null : `${open}${texts.join(',')}${close}`
}
