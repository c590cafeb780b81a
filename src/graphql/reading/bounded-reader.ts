/**
 * Stage 7, graphql. Reads rows as Prisma Client would, and no more of them than are asked for: lists in lists are pages of
 * their own in SQL, statements of a model have their turn, and no list is longer than the bound.
 */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import { invariant } from '../../errors.ts'
import { graphqlError } from '../graphql-errors.ts'
import { clientOfModel, delegateOf, type PrismaClientLike, type PrismaDelegate } from '../prisma-delegate.ts'
import { canAsk, estimateRows, type RowEstimate, type RowSource } from './estimate-rows.ts'
import type { HandOuts } from './hand-outs.ts'
import type { OperationReads, ReadPool } from './read-pool.ts'
import type { RelationBatches } from './relation-batches.ts'
import { both, keyOf, type RelationKey, type RelationLink, whereOf } from './relation-link.ts'
import { bytesOf, heavyFields } from './row-weights.ts'
import type { KeyedRead, SplitRead, StatementDelegate } from './rows-by-keys.ts'
import { isSplit, listsOf, removeAdded, splitQuery } from './split-query.ts'
import { isOfValue, type StatementGates } from './statement-gate.ts'
import { FEW_ROWS_BYTES, UniqueReads } from './unique-reads.ts'
import { type RowStatements, readWeighed } from './weighed-reads.ts'

/** What readers share, whatever client they read with. */
export interface ReadBounds {
  readonly catalog: ModelCatalog
  readonly batches: RelationBatches
  readonly gates: StatementGates
  readonly pool: ReadPool
  readonly handOuts: HandOuts
  /** Rows of one list without `take`. @default no bound */
  readonly rowsMax?: number | undefined
}

type Query = Readonly<Record<string, unknown>>
type FindOne = 'findUnique' | 'findUniqueOrThrow' | 'findFirst' | 'findFirstOrThrow'

/** The reads of one client. */
export class BoundedReader {
  readonly #client: PrismaClientLike
  readonly #bounds: ReadBounds
  readonly #uniques: UniqueReads
  /** Rows that could not be asked for: not tried again, as an application may log what fails. */
  readonly #unaskable = new Set<string>()
  readonly #statements = new WeakMap<object, StatementDelegate>()

  constructor(client: PrismaClientLike, bounds: ReadBounds) {
    this.#client = client
    this.#bounds = bounds
    this.#uniques = new UniqueReads({ ...bounds, weigh: (...asked) => this.#weighUniques(...asked) })
  }

  /** What all operations that read with it may hold. */
  get pool(): ReadPool {
    return this.#bounds.pool
  }

  /** `findMany`. @throws QUERY_OVER_LIMIT, QUERY_TOO_SLOW */
  async findMany(model: string, query: Query, reads: OperationReads): Promise<AnyRow[]> {
    const { base, complete } = this.#split(model, query, { reads, isMany: true })
    const rows = await readWeighed(this.#rowStatements(model), this.#specOf(model), base, reads)
    await complete(rows)
    return rows
  }

  /** The row that is asked for; null where there is none. @throws QUERY_OVER_LIMIT, QUERY_TOO_SLOW */
  async findOne(model: string, method: FindOne, query: Query, reads: OperationReads): Promise<AnyRow | null> {
    const { base, complete } = this.#split(model, query, { reads, isMany: false })
    const delegate = delegateOf(this.#client, model)
    const find = Reflect.get(delegate, method) as PrismaDelegate['findFirst']
    const read = () => find.call(delegate, base)
    const row = (await (method.startsWith('findUnique')
      ? this.#uniques.find(model, base, reads, read)
      : this.#readFirst(model, reads, read))) as AnyRow | null
    if (row !== null) await complete([row])
    return row
  }

  /** The row with this key that the query's `where` leaves; those that are asked for in one turn are read together. */
  findByKey(model: string, key: RelationKey, query: Query, reads: OperationReads): Promise<AnyRow | null> {
    const found = { ...query, where: both(key, query['where']) }
    const spec = this.#specOf(model)
    const fields = heavyFields(spec, query)
    return this.#bounds.batches.read({
      ...{ key, query, kind: 'one', reads, open: () => this.pool.open() },
      readAlone: () => this.findOne(model, 'findFirst', found, reads),
      delegate: this.#statementsOf(model),
      split: (nested, own) => this.#split(model, nested, { reads: own, isMany: true }),
      estimate: (keys, _max, own) =>
        this.#estimate({ model, name: model }, { model: spec, keys, areGiven: true }, fields, own?.leftMs),
      isHeavy: fields.length > 0,
    }) as Promise<AnyRow | null>
  }

  async #readFirst(model: string, reads: OperationReads, read: () => Promise<AnyRow | null>) {
    await reads.reserve(FEW_ROWS_BYTES)
    const row = await this.#bounds.gates.run(model, going(reads, read), reads.leftMs)
    reads.settle(bytesOf(row), FEW_ROWS_BYTES)
    return row
  }

  /** `count`. @throws QUERY_TOO_SLOW */
  count(model: string, query: Query, reads: OperationReads): Promise<number> {
    return this.#statementsOf(model).count(query, reads)
  }

  /** The rows, row or null that the relation of a row leads to, with `key` as its key. */
  readRelation(link: RelationLink, key: RelationKey, query: Query, reads: OperationReads): Promise<unknown> {
    const { relation, to, parent } = link
    const where = both(whereOf(link, key), query['where'])
    const found = { ...query, where }
    const { model, isList } = relation
    const isByUnique = query['where'] === undefined && to?.length === 1
    const readAlone = isList
      ? () => this.findMany(model, found, reads)
      : () => this.findOne(model, isByUnique ? 'findUnique' : 'findFirst', found, reads)
    return this.#bounds.batches.read({
      ...{ key, query, readAlone, kind: isList ? 'list' : 'one', rowsMax: this.#bounds.rowsMax },
      ...(to === null
        ? { delegate: this.#statementsOf(parent), nestedAs: relation.name }
        : { delegate: this.#statementsOf(model) }),
      ...{ reads, open: () => this.pool.open() },
      split: (nested, own) => this.#split(model, nested, { reads: own, isMany: true }),
      estimate: this.#estimator(link, query),
      isHeavy: heavyFields(this.#specOf(model), query).length > 0,
    })
  }

  /** How many rows the relation of a row leads to. */
  countRelation(link: RelationLink, key: RelationKey, query: Query, reads: OperationReads): Promise<unknown> {
    const { relation, to, parent } = link
    const where = both(whereOf(link, key), query['where'])
    return this.#bounds.batches.read({
      ...{ key, query, kind: 'count', reads, open: () => this.pool.open() },
      readAlone: () => this.#statementsOf(relation.model).count({ where }, reads),
      ...(to === null
        ? { delegate: this.#statementsOf(parent), nestedAs: relation.name }
        : { delegate: this.#statementsOf(relation.model) }),
    })
  }

  /** The client's delegate, but that each statement has its turn, and a list its bound. */
  #statementsOf(model: string): StatementDelegate {
    const delegate = delegateOf(this.#client, model)
    const known = this.#statements.get(delegate)
    if (known !== undefined) return known
    const run = <Result>(reads: OperationReads | undefined, statement: () => Promise<Result>) =>
      this.#bounds.gates.run(model, going(reads, statement), reads?.leftMs)
    const statements: StatementDelegate = {
      findMany: (query, reads) => run(reads, () => this.#readBounded(model, delegate, query as Query)),
      count: (query, reads) => run(reads, () => delegate.count(query)),
      ...(delegate.groupBy === undefined
        ? {}
        : { groupBy: (query, reads) => run(reads, async () => (await delegate.groupBy?.(query)) ?? []) }),
    }
    this.#statements.set(delegate, statements)
    return statements
  }

  #rowStatements(model: string): RowStatements {
    return {
      findMany: (query, reads) => this.#statementsOf(model).findMany(query, reads),
      estimate: (source, fields, reads) =>
        this.#estimate(
          { model, name: 'page' in source ? pagesOf(model) : model },
          source,
          fields,
          reads.leftMs,
        ),
      isAskable: canAsk(clientOfModel(this.#client, model)) && !this.#unaskable.has(model),
      rowsMax: this.#bounds.rowsMax,
    }
  }

  async #readBounded(model: string, delegate: PrismaDelegate, query: Query): Promise<AnyRow[]> {
    const { rowsMax } = this.#bounds
    if (rowsMax === undefined || query['take'] !== undefined) return delegate.findMany(query)
    const rows = await delegate.findMany({ ...query, take: rowsMax + 1 })
    if (rows.length <= rowsMax) return rows
    throw graphqlError('QUERY_OVER_LIMIT', `A list of ${model} has more than ${rowsMax} rows.`, {
      hint: 'Ask for a page of it.',
    })
  }

  #split(
    model: string,
    query: Query,
    { reads, isMany }: { readonly reads: OperationReads; readonly isMany: boolean },
  ): SplitRead {
    const split = splitQuery(this.#bounds.catalog, this.#specOf(model), query, isMany)
    if (!isSplit(split)) return { base: query, complete: () => Promise.resolve() }
    const complete = async (rows: readonly AnyRow[]) => {
      const added = [...listsOf(split, rows)].map(async ([row, { link, query: nested }]) => {
        const key = keyOf(link, row)
        const nothing = link.relation.isList ? [] : null
        const related = key === null ? nothing : await this.readRelation(link, key, nested, reads)
        return () => Reflect.set(row, link.relation.name, related)
      })
      for (const add of await Promise.all(added)) add()
      removeAdded(split, rows)
    }
    return { base: split.base, complete }
  }

  #estimator(link: RelationLink, query: Query): KeyedRead['estimate'] {
    const name = `${link.parent}.${link.relation.name}`
    const { model } = link.relation
    const fields = heavyFields(this.#specOf(model), query)
    return (keys, max, reads) => this.#estimate({ model, name }, { link, keys, max }, fields, reads?.leftMs)
  }

  async #weighUniques(model: string, keys: readonly Query[], query: Query): Promise<number | null> {
    const spec = this.#specOf(model)
    const fields = heavyFields(spec, query)
    if (fields.length === 0) return 0
    const columns = keys.map(columnsOfUnique)
    const name = JSON.stringify([model, Object.keys(columns[0] ?? {})])
    try {
      const source = { model: spec, keys: columns, areGiven: true } as const
      return (await this.#estimate({ model, name }, source, fields))?.bytes ?? null
    } catch (error) {
      if (isOfValue(error)) return null
      throw error
    }
  }

  /** `name`: of what is asked so, which is not asked again where it cannot be. */
  async #estimate(
    { model, name }: { readonly model: string; readonly name: string },
    source: RowSource,
    fields: ReturnType<typeof heavyFields>,
    leftMs?: number,
  ): Promise<RowEstimate | null> {
    if (this.#unaskable.has(name)) return null
    const { catalog, gates } = this.#bounds
    const ask = () => estimateRows(clientOfModel(this.#client, model), catalog, source, fields)
    const estimate = await gates.run(model, ask, leftMs)
    if (estimate === null) this.#unaskable.add(name)
    return estimate
  }

  #specOf(model: string): ModelSpec {
    const spec = this.#bounds.catalog.models[model]
    invariant(spec !== undefined, `Model ${model} is not in the catalog.`)
    return spec
  }
}

/** Pages that cannot be asked for as such are weighed by their rows' keys. */
function pagesOf(model: string): string {
  return JSON.stringify([model, 'page'])
}

/** The columns of a unique key; Prisma has those of several under one name. */
function columnsOfUnique(where: Query): Query {
  const columns = Object.entries(where).map(([name, value]) =>
    Object.getPrototypeOf(Object(value)) === Object.prototype ? (value as Query) : { [name]: value },
  )
  return Object.assign({}, ...columns) as Query
}

/** The statement, unless its operation is over by the time of its turn. */
function going<Result>(
  reads: OperationReads | undefined,
  statement: () => Promise<Result>,
): () => Promise<Result> {
  return async () => {
    reads?.check()
    return statement()
  }
}
