/**
 * Stage 7, graphql. A filter that is written around a variable without a value. GraphQL leaves such a field out, and
 * `{ name: { equals: $name } }` has become a filter that asks for less than its author meant; it is refused instead.
 * GraphQL specification, 3.10 "Input Objects", "Input Coercion".
 */
import { type ArgumentNode, type FieldNode, Kind, type ObjectFieldNode, type ValueNode } from 'graphql'
import { badFilter } from '../bus/filter/bad-filter.ts'

/**
 * Arguments that say which rows are asked for. `action` is none: a document with an optional `$action` is common, and without it
 * every action of the same rows comes.
 */
const FILTER_ARGUMENTS: readonly string[] = ['where', 'old', 'new', 'changed']

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
  { arguments: given = [] }: Pick<FieldNode, 'arguments'>,
  values: Readonly<Record<string, unknown>>,
): void {
  checkVariables(
    given.filter(({ name }) => FILTER_ARGUMENTS.includes(name.value)),
    values,
  )
}

/**
 * The same for some parts of what was written.
 * @param within path of what they stand in, with a dot behind it
 * @throws BAD_FILTER naming the variable and its path
 */
export function checkVariables(
  parts: readonly (ArgumentNode | ObjectFieldNode)[],
  values: Readonly<Record<string, unknown>>,
  within = '',
): void {
  for (const { name, value } of parts) {
    const missing = findMissing(value, `${within}${name.value}`, values)
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
