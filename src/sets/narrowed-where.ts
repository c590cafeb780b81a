/**
 * Sets, between stages 6 and 7. What of a condition Prisma can ask of a row's own columns, as a `where`: it finds every row of which the
 * condition is true, and more. The rows of one viewer are read, and not the whole table. Pure.
 */
import type { Condition } from '../bus/filter/condition.ts'
import type { FieldSpec, ModelSpec } from '../catalog/model-catalog.ts'
import { EXACT_DOMAINS, type KeyedRows } from './keyed-rows.ts'
import { isSeekable } from './seek.ts'

type Where = Readonly<Record<string, unknown>>

/** Values of one `in`, and rows of one `OR`: PostgreSQL takes 32,767 parameters a statement, and is slow before. */
const VALUES_MAX = 1_000
const TUPLES_MAX = 100

/** The rows of which the condition may be true; null for all. */
export function narrowedWhere(model: ModelSpec, condition: Condition): Where | null {
  if (condition.kind === 'and') {
    const parts = condition.conditions.flatMap((part) => narrowedWhere(model, part) ?? [])
    return parts.length === 0 ? null : { AND: parts }
  }
  if (condition.kind === 'null') {
    // Prisma takes no null for what is never null.
    return fieldOf(model, condition.field)?.isRequired === false ? { [condition.field]: null } : null
  }
  if (condition.kind !== 'in' || condition.keys.size > VALUES_MAX) return null
  const field = fieldOf(model, condition.field)
  if (field === undefined || !EXACT_DOMAINS.has(condition.domain.name) || !isSeekable(field)) return null
  return { [field.name]: { in: [...condition.keys].filter((key) => isPossible(field, key)) } }
}

/**
 * The rows with these keys, as filters that are asked one after the other; a row may be found by several. Null where the
 * database cannot be asked by the values that rows show: then all rows have to be looked at.
 */
export function keyedWheres(model: ModelSpec, keyed: readonly KeyedRows[]): readonly Where[] | null {
  const wheres: Where[] = []
  for (const { fields, keys } of keyed) {
    const specs = fields.map((name) => fieldOf(model, name))
    if (specs.some((field) => field === undefined || !isSeekable(field))) return null
    const [only, ...others] = specs.flatMap((field) => field ?? [])
    if (only === undefined) return null
    const isList = others.length === 0 && only.type !== 'Boolean'
    const possible = [...keys.values()].filter((each) =>
      each.every((value, index) => isPossible(specs[index] as FieldSpec, value)),
    )
    for (const values of chunks(possible, isList ? VALUES_MAX : TUPLES_MAX)) {
      const tuple = (each: readonly unknown[]): Where =>
        Object.fromEntries(fields.map((name, index) => [name, each[index]]))
      wheres.push(
        isList ? { [only.name]: { in: values.map(([value]) => value) } } : { OR: values.map(tuple) },
      )
    }
  }
  return wheres
}

/** Whether a column of the field's type can have the value: PostgreSQL, or Prisma Client, rejects a query with another. */
function isPossible({ nativeType }: FieldSpec, value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0')
  if (typeof value !== 'number') return true
  const bits = nativeType === 'SmallInt' ? 16 : 32
  return value >= -(2 ** (bits - 1)) && value < 2 ** (bits - 1)
}

function fieldOf(model: ModelSpec, name: string): FieldSpec | undefined {
  return model.fields.find((field) => field.name === name)
}

function* chunks<Item>(items: readonly Item[], size: number): Iterable<readonly Item[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}
