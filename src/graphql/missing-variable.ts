/**
 * Stage 7, graphql. A filter that is written around a variable without a value. GraphQL leaves such a field out, and
 * `{ name: { equals: $name } }` has become a filter that asks for less than its author meant; it is refused instead.
 * GraphQL specification, 3.10 "Input Objects", "Input Coercion".
 */
import { type FieldNode, Kind, type ValueNode } from 'graphql'
import { badFilter } from '../bus/filter/bad-filter.ts'

/**
 * Arguments that say which rows are asked for. `action` is none: a document with an optional `$action` is common, and without it
 * every action of the same rows comes.
 */
export const FILTER_ARGUMENTS: readonly string[] = ['where', 'old', 'new', 'changed']

/** A variable without a value, and where it stands. */
interface MissingVariable {
  readonly path: string
  readonly name: string
}

/**
 * Refuses a filter with a variable that has neither a value nor a default, at any depth. `null` is a value.
 * @param values the operation's coerced variables
 * @throws BAD_FILTER naming the variable and its path
 */
export function checkFilterVariables(
  field: FieldNode,
  values: Readonly<Record<string, unknown>>,
  filterArguments: readonly string[] = FILTER_ARGUMENTS,
): void {
  for (const { name, value } of field.arguments ?? []) {
    if (!filterArguments.includes(name.value)) continue
    const missing = findMissing(value, name.value, values)
    if (missing === null) continue
    throw badFilter(
      missing.path,
      `the variable $${missing.name} has no value, and the filter would match more than it says.`,
      `Give $${missing.name} a value, or null for none.`,
    )
  }
}

function findMissing(
  value: ValueNode,
  path: string,
  values: Readonly<Record<string, unknown>>,
): MissingVariable | null {
  if (value.kind === Kind.VARIABLE) {
    return Object.hasOwn(values, value.name.value) ? null : { path, name: value.name.value }
  }
  const parts: readonly (readonly [string, ValueNode])[] =
    value.kind === Kind.OBJECT
      ? value.fields.map((member) => [`${path}.${member.name.value}`, member.value])
      : value.kind === Kind.LIST
        ? value.values.map((element, index) => [`${path}[${index}]`, element])
        : []
  for (const [at, part] of parts) {
    const missing = findMissing(part, at, values)
    if (missing !== null) return missing
  }
  return null
}
