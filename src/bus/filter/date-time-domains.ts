/** Stage 6, bus. How dates and times are compared: by the millisecond, infinities beyond all others. */
import { explainUnrepresentable } from '../../catalog/values/unrepresentable-value.ts'
import { ORDER } from './operators.ts'
import type { ValueDomain } from './value-domain.ts'

const DAY_MS = 86_400_000
/** RFC 3339, as the DateTime scalar takes it. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/

function parseMs(input: unknown): number | undefined {
  const date = typeof input === 'string' && DATE_TIME.test(input) ? new Date(input) : input
  if (!(date instanceof Date)) return undefined
  const ms = date.getTime()
  return Number.isNaN(ms) ? undefined : ms
}

/** Milliseconds since 1970; of an Invalid Date that a row reader made, what it stands for. */
function normalizeMs(value: unknown): number | undefined {
  if (!(value instanceof Date)) return undefined
  const ms = value.getTime()
  if (!Number.isNaN(ms)) return ms
  const explained = explainUnrepresentable(value)?.value
  return typeof explained === 'number' ? explained : undefined
}

function instantDomain(name: string, round: (ms: number) => number): ValueDomain<number> {
  return {
    name,
    operators: ORDER,
    wanted: 'a date and time (a valid Date, or text such as 2026-11-23T08:15:30Z)',
    parse(input) {
      const ms = parseMs(input)
      return ms === undefined ? undefined : round(ms)
    },
    normalize: normalizeMs,
    keyOf: (normal) => normal,
    compare: (a, b) => (a < b ? -1 : Number(a > b)),
  }
}

/** By what the Prisma schema says of the column. */
export const DATE_TIME_DOMAINS = {
  timestamp: instantDomain('timestamp', (ms) => ms),
  byNativeType: {
    // PostgreSQL takes the day of the filter's instant, in UTC, and of a time its clock.
    Date: instantDomain('date', (ms) => Math.floor(ms / DAY_MS) * DAY_MS),
    Time: instantDomain('time', (ms) => ((ms % DAY_MS) + DAY_MS) % DAY_MS),
  },
}
