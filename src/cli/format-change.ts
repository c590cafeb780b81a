/** Beside the spine, cli. A change as a person reads it, and as a line of JSON. Pure. */
import { Decimal } from '../catalog/prisma-runtime.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import type { Terminal } from './terminal.ts'

/** What fits beside a field's name. */
const VALUE_LENGTH_MAX = 60
const BYTES_SHOWN_MAX = 16

const ACTION_STYLES = { INSERT: 'green', UPDATE: 'yellow', DELETE: 'red', TRUNCATE: 'red' } as const

/** Lines that say what happened: one for the change, one for each field that shows something. */
export function formatChange(change: AnyChange, { style }: Pick<Terminal, 'style'>): readonly string[] {
  const { transaction, action, model, index, key } = change
  const time = transaction.committedAt.toISOString().slice(11, 23)
  const place = style('dim', `tx ${transaction.xid} #${index}`)
  const head = `${style('dim', time)} ${style(ACTION_STYLES[action], action.padEnd(8))} ${style('bold', model)} ${formatKey(key)}  ${place}`
  return [head.trimEnd(), ...fieldLines(change, style)]
}

function formatKey(key: AnyRow | null): string {
  if (key === null) return ''
  return Object.entries(key)
    .map(([name, value]) => `${name}=${shortText(value)}`)
    .join(' ')
}

function fieldLines(change: AnyChange, style: Terminal['style']): string[] {
  const { action, old, new: after, unavailable } = change
  const line = (sign: string, name: string, text: string) => `    ${sign} ${name}: ${text}`
  if (action === 'INSERT') return rowLines(after, (name, text) => style('green', line('+', name, text)))
  if (action === 'DELETE') return rowLines(old, (name, text) => style('red', line('-', name, text)))
  if (action !== 'UPDATE' || after === null) return []
  if (old === null) return rowLines(after, (name, text) => line('=', name, text))
  const changed = change.changed.filter((name) => name in after)
  return [
    ...changed.map(
      (name) =>
        `    ~ ${name}: ${style('red', shortText(old[name]))} → ${style('green', shortText(after[name]))}`,
    ),
    ...unavailable.map((name) => style('dim', `    ? ${name}: not sent`)),
    ...(changed.length === 0 && unavailable.length === 0 ? [style('dim', '    (nothing differs)')] : []),
  ]
}

function rowLines(row: AnyRow | null, line: (name: string, text: string) => string): string[] {
  if (row === null) return []
  return Object.entries(row)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => line(name, shortText(value)))
}

function shortText(value: unknown): string {
  const text = valueText(value)
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX - 1)}…` : text
}

function valueText(value: unknown): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (value instanceof Uint8Array) return bytesText(value)
  if (value instanceof Decimal || typeof value === 'bigint' || isBeyondJson(value)) return value.toString()
  // JSON escapes what would move the cursor of a terminal.
  return JSON.stringify(value, replaceValue) ?? String(value)
}

function bytesText(value: Uint8Array): string {
  const shown = Buffer.from(value.subarray(0, BYTES_SHOWN_MAX)).toString('hex')
  return `\\x${shown}${value.length > BYTES_SHOWN_MAX ? `… (${value.length} bytes)` : ''}`
}

/** One line of JSON: BigInt and Decimal as text, Bytes as base64, DateTime as ISO 8601. */
export function formatChangeJson(change: AnyChange): string {
  const { model, action, key, old, new: after, changed, unavailable, cursor, transaction, index } = change
  const { xid, committedAt } = transaction
  return JSON.stringify(
    {
      ...{ model, action, key, old, new: after, changed, unavailable, cursor, committedAt },
      transaction: { xid: String(xid), index },
    },
    replaceValue,
  )
}

/** Dates, Decimals and Buffers have turned themselves into something by now; `this` still has the value. */
function replaceValue(this: unknown, name: string, value: unknown): unknown {
  const raw: unknown = Reflect.get(Object(this), name)
  if (typeof raw === 'bigint' || isBeyondJson(raw)) return raw.toString()
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  if (raw instanceof Date && Number.isNaN(raw.getTime())) return 'invalid date'
  return value
}

/** NaN and the infinities, which JSON has as null: that is another value. */
function isBeyondJson(value: unknown): value is number {
  return typeof value === 'number' && !Number.isFinite(value)
}
