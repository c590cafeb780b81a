/**
 * Stage 7, graphql. A Prisma Client for what GraphQL asks: the same results, but lists in lists are pages in SQL and not in
 * memory, and everything that is read has a bound. Whatever else a client can do, it does as ever.
 */
import type { ModelCatalog } from '../../catalog/model-catalog.ts'
import { delegateName } from '../../catalog/prisma-omit.ts'
import type { PrismaClientLike } from '../prisma-delegate.ts'
import { RelationBatches } from './relation-batches.ts'
import { type ReadBounds, RowReader } from './row-reader.ts'
import { StatementGates } from './statement-gate.ts'

/** How much GraphQL may read, and for how long. */
export interface ReadLimits {
  /** How long a statement may take, the wait for its turn included. @default 10_000 // 10 s */
  readonly timeoutMs?: number | undefined
  /** Rows of one list without `take`. @default 10_000 */
  readonly rowsMax?: number | undefined
}

/** Rows of one list where nothing is said. */
const ROWS_MAX = 10_000

/** The readers of paged clients. */
const readers = new WeakMap<object, RowReader>()

/** What all readers of a schema share. */
export function createReadBounds(
  catalog: ModelCatalog,
  { timeoutMs, rowsMax = ROWS_MAX }: ReadLimits = {},
): ReadBounds {
  const gates = new StatementGates(timeoutMs)
  return { catalog, batches: new RelationBatches(), gates, rowsMax }
}

/** The reader of a client, a paged one or any other. */
export function readerOf(client: PrismaClientLike, bounds: ReadBounds): RowReader {
  const known = readers.get(client) ?? new RowReader(client, bounds)
  readers.set(client, known)
  return known
}

/** The client around the application's own. */
export function createPagedClient(client: PrismaClientLike, bounds: ReadBounds): PrismaClientLike {
  const reader = new RowReader(client, bounds)
  const delegates = new Map<string | symbol, object>()
  const models = new Map(Object.keys(bounds.catalog.models).map((model) => [delegateName(model), model]))
  const paged = new Proxy(client, {
    get(target, name) {
      const model = typeof name === 'string' ? models.get(name) : undefined
      const own: unknown = Reflect.get(target, name)
      if (model === undefined || typeof own !== 'object' || own === null) return own
      const known = delegates.get(name) ?? pagedDelegate(reader, model, own)
      delegates.set(name, known)
      return known
    },
  })
  readers.set(paged, reader)
  return paged
}

type Query = Readonly<Record<string, unknown>>
const FIND_ONE = ['findUnique', 'findUniqueOrThrow', 'findFirst', 'findFirstOrThrow'] as const

function pagedDelegate(reader: RowReader, model: string, delegate: object): object {
  const finds = FIND_ONE.map((method) => [
    method,
    (query: Query = {}) => reader.findOne(model, method, query),
  ])
  const paged = {
    ...Object.fromEntries(finds),
    findMany: (query: Query = {}) => reader.findMany(model, query),
    count: (query: Query = {}) => reader.count(model, query),
  }
  return new Proxy(delegate, {
    get: (target, name) =>
      Object.hasOwn(paged, name) ? Reflect.get(paged, name) : Reflect.get(target, name),
  })
}
