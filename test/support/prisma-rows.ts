/** Prisma Client as an oracle: the rows it returns, by model name, without its types. */
import { PrismaPg } from '@prisma/adapter-pg'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { invariant } from '../../src/errors.ts'

type Row = Readonly<Record<string, unknown>>

interface ModelDelegate {
  findUniqueOrThrow(query: { where: Row; select?: Readonly<Record<string, true>> }): Promise<Row>
}

interface UntypedClient {
  $disconnect(): Promise<void>
}

/** A generated `PrismaClient`, whatever its models. */
export type PrismaConstructor = new (options: { adapter: PrismaPg }) => UntypedClient

/** Reads rows as an application would. */
export interface PrismaRows extends AsyncDisposable {
  /** The row with this key, or those fields of it. @throws what Prisma Client throws */
  find(model: ModelSpec, key: Row, fields?: readonly string[]): Promise<Row>
}

/** Opens a client on a database. */
export function openPrismaRows(PrismaClient: PrismaConstructor, url: string): PrismaRows {
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) })

  function delegateOf(model: ModelSpec): ModelDelegate {
    const delegate: unknown = Reflect.get(client, model.name.charAt(0).toLowerCase() + model.name.slice(1))
    invariant(delegate, `The client has no model ${model.name}.`)
    return delegate as ModelDelegate
  }

  return {
    find(model, key, fields) {
      const parts = model.primaryKey
      const where = parts.length === 1 ? key : { [parts.join('_')]: key }
      const select = fields && Object.fromEntries(fields.map((field) => [field, true as const]))
      return delegateOf(model).findUniqueOrThrow({ where, ...(select === undefined ? {} : { select }) })
    },
    [Symbol.asyncDispose]: () => client.$disconnect(),
  }
}
