/** Stage 7, graphql. A filter as clients write it → the same with the names that Prisma has for the fields. */
import type { ModelNames } from '../schema-names.ts'

/** What filters a change or its images. */
type Filters = Readonly<Record<string, unknown>>

const GROUPS: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT'])

/** The arguments of a subscription; the same object where no field has another name in GraphQL. */
export function withPrismaNames<Input extends object>(
  names: Pick<ModelNames, 'fields'>,
  input: Input,
): Input {
  const byGraphqlName = new Map([...names.fields].map(([prisma, graphql]) => [graphql, prisma]))
  if ([...byGraphqlName].every(([graphql, prisma]) => graphql === prisma)) return input
  const entries = Object.entries(input).map(([argument, value]) => [
    argument,
    argument === 'changed' ? value : renamed(value, byGraphqlName),
  ])
  return Object.fromEntries(entries) as Input
}

function renamed(where: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(where)) return where.map((each) => renamed(each, names))
  if (typeof where !== 'object' || where === null) return where
  const entries = Object.entries(where as Filters).map(([name, value]) =>
    GROUPS.has(name) ? [name, renamed(value, names)] : [names.get(name) ?? name, value],
  )
  return Object.fromEntries(entries)
}
