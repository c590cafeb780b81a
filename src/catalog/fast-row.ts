/**
 * Stage 3, catalog. The hot loop: one walk over a tuple's bytes, one row object out. Two builds of the same
 * function: one written out for the relation and compiled, so that every row is one literal of one shape, and
 * one that interprets the layout, for processes that may not generate code from strings.
 */
import { readInt32 } from '../pgoutput/big-endian.ts'
import { COLUMN_BINARY, COLUMN_NULL, COLUMN_TEXT } from '../pgoutput/tuple.ts'
import type { AnyRow, ColumnPlan, RowLayout } from './row-layout.ts'
import { createNullList } from './values/null-list.ts'
import { decodeUtf8 } from './values/utf8-text.ts'

/** Reads a row whose columns all came along; null where one did not (unchanged TOAST). */
export type FastRowReader = (buffer: Buffer, start: number) => AnyRow | null

/** Bytes of a column's header: kind, then the length. */
export const COLUMN_HEADER_BYTES = 5

/** Offset of the column after the one at `at`. */
export function skipColumn(buffer: Buffer, at: number): number {
  const kind = buffer[at]
  const hasValue = kind === COLUMN_BINARY || kind === COLUMN_TEXT
  return hasValue ? at + COLUMN_HEADER_BYTES + readInt32(buffer, at + 1) : at + 1
}

/** What a NULL column is in a row: Prisma Client returns an empty list for a NULL array. */
export function nullValueOf(plan: ColumnPlan): null | unknown[] {
  return plan.field.isList ? createNullList() : null
}

/** Reads the value at `at`, whose kind is text or binary. */
export function readValue(
  buffer: Buffer,
  at: number,
  codec: Pick<ColumnPlan['codec'], 'parse' | 'decode'>,
): unknown {
  const start = at + COLUMN_HEADER_BYTES
  const end = start + readInt32(buffer, at + 1)
  return buffer[at] === COLUMN_BINARY
    ? codec.decode(buffer, start, end)
    : codec.parse(decodeUtf8(buffer, start, end))
}

/** Columns up to the last one that a field needs. */
function neededColumns(layout: RowLayout): readonly (ColumnPlan | null)[] {
  return layout.columns.slice(0, layout.columns.findLastIndex((plan) => plan !== null) + 1)
}

/** The interpreting build. */
export function interpretFastRow(layout: RowLayout): FastRowReader {
  const columns = neededColumns(layout)
  return (buffer, start) => {
    const values = new Array<unknown>(layout.fields.length)
    let at = start
    for (const plan of columns) {
      if (plan !== null) {
        const kind = buffer[at]
        if (kind === COLUMN_BINARY || kind === COLUMN_TEXT)
          values[plan.slot] = readValue(buffer, at, plan.codec)
        else if (kind === COLUMN_NULL) values[plan.slot] = nullValueOf(plan)
        else return null
      }
      at = skipColumn(buffer, at)
    }
    const row: Record<string, unknown> = {}
    for (const [slot, field] of layout.fields.entries()) row[field] = values[slot]
    return row
  }
}

/** The lines that read one column; a skipped one costs its length and no more. */
function writeColumn(plan: ColumnPlan | null): string {
  if (plan === null) return 'at = skipColumn(buffer, at)'
  const { slot } = plan
  return [
    'kind = buffer[at]',
    `if (kind === ${COLUMN_BINARY} || kind === ${COLUMN_TEXT}) {`,
    '  end = at + 5 + readInt32(buffer, at + 1)',
    `  value${slot} = kind === ${COLUMN_BINARY} ? decode${slot}(buffer, at + 5, end) : parse${slot}(decodeUtf8(buffer, at + 5, end))`,
    '  at = end',
    `} else if (kind === ${COLUMN_NULL}) {`,
    `  value${slot} = ${plan.field.isList ? 'createNullList()' : 'null'}`,
    '  at += 1',
    '} else return null',
  ].join('\n')
}

/**
 * The compiling build. Only numbers and JSON-quoted field names enter the source.
 * @throws EvalError where code generation from strings is disallowed
 */
export function compileFastRow(layout: RowLayout): FastRowReader {
  const columns = neededColumns(layout)
  const plans = columns.filter((plan) => plan !== null).sort((a, b) => a.slot - b.slot)
  const source = [
    '"use strict"',
    ...plans.map(({ slot }) => `const { decode: decode${slot}, parse: parse${slot} } = codecs[${slot}]`),
    'return (buffer, start) => {',
    'let at = start, kind = 0, end = 0',
    ...plans.map(({ slot }) => `let value${slot}`),
    ...columns.map(writeColumn),
    `return { ${plans.map(({ slot, field }) => `${JSON.stringify(field.name)}: value${slot}`).join(', ')} }`,
    '}',
  ].join('\n')
  const build = new Function('codecs', 'readInt32', 'skipColumn', 'createNullList', 'decodeUtf8', source)
  return build(
    plans.map((plan) => plan.codec),
    readInt32,
    skipColumn,
    createNullList,
    decodeUtf8,
  )
}

/** The compiled build where the process allows it, else the interpreted one; both read alike. */
export function createFastRow(layout: RowLayout): FastRowReader {
  try {
    return compileFastRow(layout)
  } catch (error) {
    if (error instanceof EvalError) return interpretFastRow(layout)
    throw error
  }
}
