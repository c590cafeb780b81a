/** Stage 7, graphql. Bounded lists: `take` (or `first`) and `skip`, and the order that makes them mean something. */
import { type GraphQLArgument, type GraphQLField, getNullableType, isListType } from 'graphql'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { uniqueFieldsOf } from '../catalog/row-key.ts'
import { graphqlError } from './graphql-errors.ts'
import type { ServiceBuilder } from './service-types.ts'

/** Rows of a list when nothing is said. */
export const TAKE_DEFAULT = 50
/** Rows of a list at the most. */
export const TAKE_MAX = 200

/** Set as an extension of the `take` of a list that is refused beyond `TAKE_MAX` where it is read. */
const BOUNDED_TAKE = 'rowcastBoundedTake'

/** The arguments as the schema shows them. */
export function pageArguments(builder: ServiceBuilder) {
  return builder.args((t) => ({
    take: t.int({
      defaultValue: TAKE_DEFAULT,
      description: `At most so many rows, up to ${TAKE_MAX}.`,
      extensions: { [BOUNDED_TAKE]: true },
    }),
    skip: t.int({ defaultValue: 0, description: 'Leaves out so many rows at the start.' }),
  }))
}

/** `first`, beside those of `pageArguments`. */
export function firstArgument(builder: ServiceBuilder) {
  return builder.args((t) => ({
    first: t.int({
      description: `At most so many rows, up to ${TAKE_MAX}; it counts more than \`take\`, and means the same.`,
      extensions: { [BOUNDED_TAKE]: true },
    }),
  }))
}

/** Arguments of a list field. */
export interface PageArguments {
  readonly first?: number | null | undefined
  readonly take?: number | null | undefined
  readonly skip?: number | null | undefined
}

/** The page as Prisma takes it. */
export interface Page {
  readonly take: number
  readonly skip: number
  readonly orderBy: Record<string, 'asc'>[]
}

/** How many rows, and how many before them are left out. */
export type PageSize = Pick<Page, 'take' | 'skip'>

/** Checks the arguments. @throws GRAPHQL_BAD_ARGUMENT when `take` or `first` is not 0 to 200, or `skip` is negative. */
export function pageSize(args: PageArguments): PageSize {
  const take = args.first ?? args.take ?? TAKE_DEFAULT
  const skip = args.skip ?? 0
  if (take < 0 || take > TAKE_MAX) {
    const name = args.first == null ? 'take' : 'first'
    throw graphqlError('GRAPHQL_BAD_ARGUMENT', `${name} is not between 0 and ${TAKE_MAX}.`, {
      hint: `Ask for ${TAKE_MAX} rows at the most, and for more with ${name === 'take' ? 'skip' : 'after'}.`,
    })
  }
  if (skip < 0) {
    throw graphqlError('GRAPHQL_BAD_ARGUMENT', 'skip is negative.', { hint: 'Count rows to skip from 0.' })
  }
  return { take, skip }
}

/**
 * The same with an order: by primary key, or by the first unique key that is never null where the model has none.
 * @throws GRAPHQL_BAD_ARGUMENT
 */
export function pageOf(model: ModelSpec, args: PageArguments): Page {
  return { ...pageSize(args), orderBy: uniqueFieldsOf(model).map((field) => ({ [field]: 'asc' })) }
}

/** Arguments that say how long a list is: Prisma's, those of Relay's connections, and what others call it. */
const SIZE_ARGUMENTS: ReadonlySet<string> = new Set(['take', 'first', 'last', 'limit'])

function isBounded({ extensions }: GraphQLArgument): boolean {
  return extensions[BOUNDED_TAKE] === true
}

/** Of `_entities`, which every subgraph has: as many as are asked for. */
const REPRESENTATIONS = 'representations'

/**
 * How many times a field gives what is in it at the most, as far as its arguments say: once where none of them says how long
 * a list is. From the end (a negative `take`) counts as from the beginning.
 */
export function pageSizeOf(
  { args, type }: Pick<GraphQLField<unknown, unknown>, 'args' | 'type'>,
  values: () => Readonly<Record<string, unknown>>,
): number {
  const sizes = args.filter(({ name }) => SIZE_ARGUMENTS.has(name))
  if (sizes.length === 0) return args.some(isRepresentations) ? lengthOf(values()[REPRESENTATIONS]) : 1
  const given = values()
  const isOwnFirst = (name: string) =>
    name === 'take' && typeof given['first'] === 'number' && sizes.every(isBounded)
  const numbers = sizes.flatMap(({ name, extensions }) => {
    const value = given[name]
    if (typeof value !== 'number' || isOwnFirst(name)) return []
    return extensions[BOUNDED_TAKE] === true ? Math.min(Math.max(value, 0), TAKE_MAX) : Math.abs(value)
  })
  if (numbers.length > 0) return Math.max(...numbers)
  const isPage = isListType(getNullableType(type)) || sizes.some(({ name }) => name === 'first')
  return isPage ? TAKE_DEFAULT : 1
}

function isRepresentations({ name, type }: GraphQLArgument): boolean {
  return name === REPRESENTATIONS && isListType(getNullableType(type))
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 1
}
