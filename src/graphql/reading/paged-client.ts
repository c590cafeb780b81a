/**
 * Stage 7, graphql. A Prisma Client for what GraphQL asks: the same results, but lists in lists are pages in SQL and not in
 * memory, and everything that is read has a bound. Whatever else a client can do, it does as ever.
 */
import type { ModelCatalog } from '../../catalog/model-catalog.ts'
import { delegateName } from '../../catalog/prisma-omit.ts'
import type { PrismaClientLike } from '../prisma-delegate.ts'
import { BoundedReader, type ReadBounds } from './bounded-reader.ts'
import { HandOuts } from './hand-outs.ts'
import { type OperationReads, ReadPool, readAs } from './read-pool.ts'
import { RelationBatches } from './relation-batches.ts'
import { StatementGates } from './statement-gate.ts'

/** How much GraphQL may read, and for how long. */
export interface ReadLimits {
  /** How long all that one operation reads may take, the waits for its turns included. @default 10_000 // 10 s */
  readonly timeoutMs?: number | undefined
  /** Bytes of rows that one operation may read. @default 16_777_216 // 16 MiB */
  readonly operationBytesMax?: number | undefined
  /** Bytes of rows that all operations may be reading at once. @default 50_331_648 // 48 MiB */
  readonly totalBytesMax?: number | undefined
  /** Rows of one list without `take`. @default 10_000 */
  readonly rowsMax?: number | undefined
}

/** Rows of one list where nothing is said. */
const ROWS_MAX = 10_000

/** The readers of paged clients. */
const readers = new WeakMap<object, BoundedReader>()

/** What all readers of a schema share. */
export function createReadBounds(
  catalog: ModelCatalog,
  { rowsMax = ROWS_MAX, ...limits }: ReadLimits = {},
): ReadBounds {
  const gates = new StatementGates(limits.timeoutMs)
  const handOuts = new HandOuts()
  const batches = new RelationBatches(handOuts)
  return { catalog, batches, gates, pool: new ReadPool(limits), handOuts, rowsMax }
}

/** The reader of a client, a paged one or any other. */
export function readerOf(client: PrismaClientLike, bounds: ReadBounds): BoundedReader {
  const known = readers.get(client) ?? new BoundedReader(client, bounds)
  readers.set(client, known)
  return known
}

/** Clients around the application's own: one for each GraphQL context, all of which read with one reader. */
export function createPagedClients(
  client: PrismaClientLike,
  bounds: ReadBounds,
): (context: unknown) => PrismaClientLike {
  const reader = new BoundedReader(client, bounds)
  const models = new Map(Object.keys(bounds.catalog.models).map((model) => [delegateName(model), model]))
  const clients = new WeakMap<object, PrismaClientLike>()
  return (context) => {
    const known = typeof context === 'object' && context !== null ? clients.get(context) : undefined
    if (known !== undefined) return known
    const paged = pagedClient(client, models, (model, delegate) =>
      pagedDelegate(reader, model, delegate, (read) => readAs(bounds.pool, context, read)),
    )
    readers.set(paged, reader)
    if (typeof context === 'object' && context !== null) clients.set(context, paged)
    return paged
  }
}

function pagedClient(
  client: PrismaClientLike,
  models: ReadonlyMap<string, string>,
  page: (model: string, delegate: object) => object,
): PrismaClientLike {
  const delegates = new Map<string | symbol, object>()
  return new Proxy(client, {
    get(target, name) {
      const model = typeof name === 'string' ? models.get(name) : undefined
      const own: unknown = Reflect.get(target, name)
      if (model === undefined || typeof own !== 'object' || own === null) return own
      const known = delegates.get(name) ?? page(model, own)
      delegates.set(name, known)
      return known
    },
  })
}

type Query = Readonly<Record<string, unknown>>
type Read = <Result>(read: (reads: OperationReads) => Promise<Result>) => Promise<Result>
const FIND_ONE = ['findUnique', 'findUniqueOrThrow', 'findFirst', 'findFirstOrThrow'] as const

function pagedDelegate(reader: BoundedReader, model: string, delegate: object, read: Read): object {
  const finds = FIND_ONE.map((method) => [
    method,
    (query: Query = {}) => read((reads) => reader.findOne(model, method, query, reads)),
  ])
  const paged = {
    ...Object.fromEntries(finds),
    findMany: (query: Query = {}) => read((reads) => reader.findMany(model, query, reads)),
    count: (query: Query = {}) => read((reads) => reader.count(model, query, reads)),
  }
  return new Proxy(delegate, {
    get: (target, name) =>
      Object.hasOwn(paged, name) ? Reflect.get(paged, name) : Reflect.get(target, name),
  })
}
