/**
 * Stage 3, catalog. The one file that knows Prisma Client's runtime (6 and 7) and what it keeps inside, and its one importer: its
 * Decimal class, so that a row's decimals are `instanceof Prisma.Decimal` in the application, too; the nulls of its Json filters,
 * which it knows by identity; and of a client its adapter, its omitted fields, its models and its transaction. What a query
 * extension is called with is known to prisma-writes.ts.
 */
import * as runtime from '@prisma/client/runtime/client'
import { Decimal } from '@prisma/client/runtime/client'
import { memberOf } from '../member-of.ts'

export type { JsonValue } from '@prisma/client/runtime/client'
export { Decimal }

/** Prisma 6 has them in an object of its own. */
const nullOf = (name: 'AnyNull' | 'DbNull' | 'JsonNull'): unknown =>
  memberOf(runtime, name) ?? memberOf(memberOf(memberOf(runtime, 'objectEnumValues'), 'instances'), name)
export const AnyNull = nullOf('AnyNull')
export const DbNull = nullOf('DbNull')
export const JsonNull = nullOf('JsonNull')

/** What a Decimal is made of: sign, decimal exponent of the first digit, words in base 10,000,000. */
interface DecimalParts {
  s: number
  e: number
  d: number[]
}

/** A Decimal from its parts. Built by its own constructor first, so that all are of one shape. */
export function decimalOf(isNegative: boolean, exponent: number, words: number[]): Decimal {
  const decimal = new Decimal(0)
  const parts: DecimalParts = decimal
  parts.s = isNegative ? -1 : 1
  parts.e = exponent
  parts.d = words
  return decimal
}

/** Digits and exponent of a finite one: the same for 1.0 and 1.00, whatever decimal.js is set to. */
export function decimalDigits({ s, e, d }: Decimal): string {
  return `${s}e${e}:${d.join()}`
}

/** What a client knows of its driver adapter; null for a client without one, and for anything else. */
export interface PrismaAdapter {
  readonly name: unknown
  /** What the driver is configured with; of a pool of the application's own, the pool's options. */
  readonly config: unknown
  /** The schema of the adapter's options. */
  readonly schema: string | null
}

/** The driver adapter of a client. */
export function adapterOfPrisma(client: unknown): PrismaAdapter | null {
  const adapter = memberOf(memberOf(client, '_engineConfig'), 'adapter')
  if (adapter === undefined) return null
  const schema = memberOf(memberOf(adapter, 'options'), 'schema')
  return {
    name: memberOf(adapter, 'adapterName'),
    config: memberOf(adapter, 'config'),
    schema: typeof schema === 'string' ? schema : null,
  }
}

/** Delegate → fields, as the `omit` of the client's constructor; null where it has none. */
export function omitOfPrisma(client: unknown): object | null {
  const omit = memberOf(client, '_globalOmit')
  return typeof omit === 'object' ? omit : null
}

/** Models as the client's runtime knows them. */
export type RuntimeModels = Readonly<
  Record<
    string,
    { readonly fields: readonly { readonly name: string; readonly kind: string; readonly type: string }[] }
  >
>

/** The models of a client, by their names in the Prisma schema. */
export function modelsOfPrisma(client: unknown): RuntimeModels {
  return Object(memberOf(memberOf(client, '_runtimeDataModel'), 'models')) as RuntimeModels
}

/** How a client makes its requests, each of which is given the transaction that it runs in. */
export type CreateRequest<Transaction> = (run: (own: Transaction) => Promise<null>) => PromiseLike<unknown>

/** What a client makes its requests with; undefined where it does not say. */
export function requestsOfPrisma<Transaction>(client: object): CreateRequest<Transaction> | undefined {
  const create: unknown = Reflect.get(client, '_createPrismaPromise')
  return typeof create === 'function' ? (create as CreateRequest<Transaction>) : undefined
}
