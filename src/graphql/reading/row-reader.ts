/**
 * Stage 7, graphql. Reads rows as Prisma Client would, and no more of them than are asked for: lists in lists are pages of
 * their own in SQL, statements of a model have their turn, and no list is longer than the bound.
 */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import { invariant } from '../../errors.ts'
import { graphqlError } from '../graphql-errors.ts'
import { delegateOf, type PrismaClientLike, type PrismaDelegate } from '../prisma-delegate.ts'
import { countKeys } from './count-keys.ts'
import type { RelationBatches } from './relation-batches.ts'
import { both, keyOf, type RelationKey, type RelationLink, whereOf } from './relation-link.ts'
import type { KeyedRead } from './rows-by-keys.ts'
import { isSplit, listsOf, removeAdded, splitQuery } from './split-query.ts'
import type { StatementGates } from './statement-gate.ts'
import { UniqueReads } from './unique-reads.ts'

/** What readers share, whatever client they read with. */
export interface ReadBounds {
  readonly catalog: ModelCatalog
  readonly batches: RelationBatches
  readonly gates: StatementGates
  /** Rows of one list without `take`. @default no bound */
  readonly rowsMax?: number | undefined
}

type Query = Readonly<Record<string, unknown>>
type FindOne = 'findUnique' | 'findUniqueOrThrow' | 'findFirst' | 'findFirstOrThrow'

/** The reads of one client. */
export class RowReader {
  readonly #client: PrismaClientLike
  readonly #bounds: ReadBounds
  readonly #uniques: UniqueReads
  /** Relations whose rows could not be counted: not tried again, as an application may log what fails. */
  readonly #uncountable = new Set<string>()
  readonly #statements = new WeakMap<object, PrismaDelegate>()

  constructor(client: PrismaClientLike, bounds: ReadBounds) {
    this.#client = client
    this.#bounds = bounds
    this.#uniques = new UniqueReads(bounds.gates)
  }

  /** `findMany`. @throws QUERY_OVER_LIMIT, QUERY_TOO_SLOW */
  async findMany(model: string, query: Query): Promise<AnyRow[]> {
    const { base, complete } = this.#split(model, query)
    const rows = await this.#statementsOf(model).findMany(base)
    await complete(rows)
    return rows
  }

  /** The row that is asked for; null where there is none. @throws QUERY_OVER_LIMIT, QUERY_TOO_SLOW */
  async findOne(model: string, method: FindOne, query: Query): Promise<AnyRow | null> {
    const { base, complete } = this.#split(model, query)
    const delegate = delegateOf(this.#client, model)
    const find = Reflect.get(delegate, method) as PrismaDelegate['findFirst']
    const read = () => find.call(delegate, base)
    const row = (await (method.startsWith('findUnique')
      ? this.#uniques.find(model, base, read)
      : this.#bounds.gates.run(model, read))) as AnyRow | null
    if (row !== null) await complete([row])
    return row
  }

  /** `count`. @throws QUERY_TOO_SLOW */
  count(model: string, query: Query): Promise<number> {
    return this.#statementsOf(model).count(query)
  }

  /** The rows, row or null that the relation of a row leads to, with `key` as its key. */
  readRelation(link: RelationLink, key: RelationKey, query: Query): Promise<unknown> {
    const { relation, to, parent } = link
    const where = both(whereOf(link, key), query['where'])
    const found = { ...query, where }
    const { model, isList } = relation
    const isByUnique = query['where'] === undefined && to?.length === 1
    const readAlone = isList
      ? () => this.findMany(model, found)
      : () => this.findOne(model, isByUnique ? 'findUnique' : 'findFirst', found)
    return this.#bounds.batches.read({
      ...{ key, query, readAlone, kind: isList ? 'list' : 'one', rowsMax: this.#bounds.rowsMax },
      ...(to === null
        ? { delegate: this.#statementsOf(parent), nestedAs: relation.name }
        : { delegate: this.#statementsOf(model) }),
      split: (nested) => this.#split(model, nested),
      countUpTo: this.#counter(link),
    })
  }

  /** How many rows the relation of a row leads to. */
  countRelation(link: RelationLink, key: RelationKey, query: Query): Promise<unknown> {
    const { relation, to, parent } = link
    const where = both(whereOf(link, key), query['where'])
    return this.#bounds.batches.read({
      ...{ key, query, kind: 'count', readAlone: () => this.#statementsOf(relation.model).count({ where }) },
      ...(to === null
        ? { delegate: this.#statementsOf(parent), nestedAs: relation.name }
        : { delegate: this.#statementsOf(relation.model) }),
    })
  }

  /** The client's delegate, but that each statement has its turn, and a list its bound. */
  #statementsOf(model: string): PrismaDelegate {
    const delegate = delegateOf(this.#client, model)
    const known = this.#statements.get(delegate)
    if (known !== undefined) return known
    const { gates } = this.#bounds
    const statements: PrismaDelegate = {
      findUnique: (query) => gates.run(model, () => delegate.findUnique(query)),
      findFirst: (query) => gates.run(model, () => delegate.findFirst(query)),
      findMany: (query) => gates.run(model, () => this.#readBounded(model, delegate, query as Query)),
      count: (query) => gates.run(model, () => delegate.count(query)),
      ...(delegate.groupBy === undefined
        ? {}
        : { groupBy: (query) => gates.run(model, async () => (await delegate.groupBy?.(query)) ?? []) }),
    }
    this.#statements.set(delegate, statements)
    return statements
  }

  async #readBounded(model: string, delegate: PrismaDelegate, query: Query): Promise<AnyRow[]> {
    const { rowsMax } = this.#bounds
    if (rowsMax === undefined || query['take'] !== undefined) return delegate.findMany(query)
    const rows = await delegate.findMany({ ...query, take: rowsMax + 1 })
    if (rows.length <= rowsMax) return rows
    throw graphqlError('QUERY_OVER_LIMIT', `A list of ${model} has more than ${rowsMax} rows.`, {
      mend: 'Ask for a page of it.',
    })
  }

  #split(model: string, query: Query): ReturnType<NonNullable<KeyedRead['split']>> {
    const split = splitQuery(this.#bounds.catalog, this.#specOf(model), query)
    if (!isSplit(split)) return { base: query, complete: () => Promise.resolve() }
    const complete = async (rows: readonly AnyRow[]) => {
      const added = [...listsOf(split, rows)].map(async ([row, { link, query: nested }]) => {
        const key = keyOf(link, row)
        const list = key === null ? [] : await this.readRelation(link, key, nested)
        return () => Reflect.set(row, link.relation.name, list)
      })
      for (const add of await Promise.all(added)) add()
      removeAdded(split, rows)
    }
    return { base: split.base, complete }
  }

  #counter(link: RelationLink): KeyedRead['countUpTo'] {
    const { catalog, gates } = this.#bounds
    const name = `${link.parent}.${link.relation.name}`
    return async (keys, max) => {
      if (this.#uncountable.has(name)) return null
      const count = () => countKeys(this.#client, catalog, { link, keys, max })
      const rows = await gates.run(link.relation.model, count)
      if (rows === null) this.#uncountable.add(name)
      return rows
    }
  }

  #specOf(model: string): ModelSpec {
    const spec = this.#bounds.catalog.models[model]
    invariant(spec !== undefined, `Model ${model} is not in the catalog.`)
    return spec
  }
}
