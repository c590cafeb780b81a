/** Stage 7, graphql. The few Prisma Client calls that GraphQL makes, without the generated client's types. */
import { delegateName } from '../catalog/prisma-omit.ts'
import type { AnyRow } from '../changes/change.ts'
import { invariant } from '../errors.ts'

/** A Prisma Client, extended or not, of whatever schema. */
export interface PrismaClientLike {
  $connect(): Promise<void>
}

/** `prisma.user`, as far as it is needed here. */
export interface PrismaDelegate {
  findUnique(query: object): Promise<AnyRow | null>
  findFirst(query: object): Promise<AnyRow | null>
  findMany(query: object): Promise<AnyRow[]>
  count(query: object): Promise<number>
  /** How many rows each key has. */
  groupBy?(query: object): Promise<AnyRow[]>
}

/** A client of several databases has it: whose client has the model. */
export const CLIENT_OF = Symbol('client of a model')

/** The client of the database that has the model: where a statement in plain SQL goes. */
export function clientOfModel(client: PrismaClientLike, model: string): PrismaClientLike {
  const clientOf: unknown = Reflect.get(client, CLIENT_OF)
  return typeof clientOf === 'function' ? (clientOf(model) as PrismaClientLike) : client
}

/** The delegate of a model. */
export function delegateOf(client: PrismaClientLike, model: string): PrismaDelegate {
  const delegate: unknown = Reflect.get(client, delegateName(model))
  invariant(
    typeof delegate === 'object' && delegate !== null,
    `The Prisma Client has no "${delegateName(model)}": it and the catalog come from different schemas. Run \`prisma generate\`.`,
  )
  return delegate as PrismaDelegate
}
