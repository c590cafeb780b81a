/** Stage 6, bus. Which part of a `where` is in the way: the innermost one that, taken alone, is not true of a row. */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import { isRowcastError } from '../../errors.ts'
import { compileCondition } from './compile-condition.ts'
import type { Condition } from './condition.ts'
import { isFilterObject } from './filter-object.ts'
import { TRUE } from './outcome.ts'
import { parseWhere } from './parse-where.ts'
import type { KeySource } from './related-keys.ts'

/** What filters are read with. */
export interface FilterReading {
  readonly model: ModelSpec
  readonly catalog: ModelCatalog
  /** Parses a part of the filter as the whole was parsed. @default as a `where` without relations */
  readonly parse?: ((part: unknown) => Condition | null) | undefined
  /** Where the keys of other rows are found. @default they are not known */
  readonly keySource?: KeySource | undefined
}

/** The path of it, `where.status.equals`; of a list of alternatives the list's. Values are not repeated. */
export function failingPath(reading: FilterReading, where: unknown, path: string, row: AnyRow): string {
  if (!isFilterObject(where)) return path
  for (const [key, value] of Object.entries(where)) {
    if (isTrue(reading, { [key]: value }, row)) continue
    const at = `${path}.${key}`
    if (key === 'AND') return failingPart(reading, value, at, row)
    if (key === 'OR' || key === 'NOT') return at
    return failingOperator(reading, { field: key, filter: value }, at, row)
  }
  return path
}

/** All of them have to hold; the first that does not is in the way. */
function failingPart(reading: FilterReading, parts: unknown, path: string, row: AnyRow): string {
  if (!Array.isArray(parts)) return failingPath(reading, parts, path, row)
  const index = parts.findIndex((part) => !isTrue(reading, part, row))
  return index < 0 ? path : failingPath(reading, parts[index], `${path}[${index}]`, row)
}

function failingOperator(
  reading: FilterReading,
  { field, filter }: { readonly field: string; readonly filter: unknown },
  path: string,
  row: AnyRow,
): string {
  if (!isFilterObject(filter)) return path
  const { mode, ...operators } = filter
  const failing = Object.entries(operators).find(([operator, operand]) => {
    const alone = mode === undefined ? { [operator]: operand } : { [operator]: operand, mode }
    return !isTrue(reading, { [field]: alone }, row)
  })
  return failing === undefined ? path : `${path}.${failing[0]}`
}

/** A part that means nothing without the others, as the path into a JSON value does, is not the one that fails. */
function isTrue({ model, catalog, parse, keySource }: FilterReading, where: unknown, row: AnyRow): boolean {
  try {
    const condition = parse === undefined ? parseWhere(model, catalog, where) : parse(where)
    return condition === null || compileCondition(condition, keySource)(row) === TRUE
  } catch (error) {
    if (isRowcastError(error) && error.code === 'BAD_FILTER') return true
    throw error
  }
}
