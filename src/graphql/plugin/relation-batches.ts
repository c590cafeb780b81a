/**
 * Stage 7, graphql. Queries for relations of many images as few: what is asked for in one turn of the event loop with the
 * same selection becomes one query, each key in it once. At most so many run at a time for one model, so that a table that is
 * locked takes no connections from the others.
 */
import type { AnyRow } from '../../changes/change.ts'
import { graphqlError } from '../graphql-errors.ts'
import { canonicalText } from '../policy/canonical-text.ts'
import type { PrismaDelegate } from '../prisma-delegate.ts'
import { giveEach } from './own-copy.ts'

/** A Prisma query without the condition on its key. */
export type RelationQuery = Readonly<Record<string, unknown>>

/** What one image asks for. */
export interface RelationRead {
  readonly delegate: PrismaDelegate
  /** The model that is read. */
  readonly model: string
  /** Column → value: which rows belong to the image. */
  readonly key: Readonly<Record<string, unknown>>
  readonly query: RelationQuery
  /** Reads the rows nested in those that have the key, under this name: whose they are, no column of theirs says. */
  readonly nestedAs?: string | undefined
  /** What does it for this image alone. */
  readonly readAlone: () => Promise<unknown>
}

/** Keys of one query: PostgreSQL takes 32,767 parameters, and a plan for a thousand values is still a good one. */
const KEYS_MAX = 500
const QUERIES_MAX = 4
/** Rows that one query of pages reads at most for each row that its pages can hold. */
const SPARE_ROWS = 4
const TIMEOUT_MS = 10_000

interface Waiting {
  readonly read: RelationRead
  readonly keyText: string
  resolve(rows: unknown): void
  reject(error: unknown): void
}

/** The reads of one builder. */
export class RelationBatches {
  readonly #timeoutMs: number
  #batches = new Map<string, Waiting[]>()
  readonly #gates = new Map<string, Gate>()
  /** Clients can differ from request to request; their delegates have no name. */
  readonly #delegates = new WeakMap<object, number>()
  #delegateCount = 0

  constructor(timeoutMs = TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs
  }

  /** The rows that belong to the key, in their order. */
  readList(read: RelationRead): Promise<unknown> {
    return isPage(read.query) ? this.#enqueue('list', read) : this.readAlone(read)
  }

  /** The row that the key, a unique one, points at; null where there is none. */
  readOne(read: RelationRead): Promise<unknown> {
    return this.#enqueue('one', read)
  }

  /** What cannot be put together; bounded all the same. */
  readAlone({ model, readAlone }: RelationRead): Promise<unknown> {
    return this.#gateOf(model).run(readAlone)
  }

  #enqueue(kind: 'list' | 'one', read: RelationRead): Promise<unknown> {
    const columns = Object.keys(read.key)
    const keyText = canonicalText(Object.values(read.key))
    const queryText = canonicalText(read.query)
    if (keyText === null || queryText === null) return this.readAlone(read)
    const name = JSON.stringify([
      kind,
      this.#numberOf(read.delegate),
      read.nestedAs ?? '',
      columns,
      queryText,
    ])
    return new Promise((resolve, reject) => {
      const batch = this.#batches.get(name)
      if (this.#batches.size === 0) setImmediate(() => this.#flush())
      if (batch === undefined) this.#batches.set(name, [{ read, keyText, resolve, reject }])
      else batch.push({ read, keyText, resolve, reject })
    })
  }

  #flush(): void {
    const batches = this.#batches
    this.#batches = new Map()
    for (const [name, batch] of batches) {
      const byKey = groupBy(batch, ({ keyText }) => keyText)
      const keys = [...byKey]
      const isList = name.startsWith('["list"')
      for (let at = 0; at < keys.length; at += KEYS_MAX) {
        void this.#readChunk(new Map(keys.slice(at, at + KEYS_MAX)), isList)
      }
    }
  }

  async #readChunk(byKey: ReadonlyMap<string, readonly Waiting[]>, isList: boolean): Promise<void> {
    const [first] = [...byKey.values()].map(([waiting]) => waiting).filter((each) => each !== undefined)
    if (first === undefined) return
    const { model } = first.read
    let found: ReadonlyMap<string, readonly AnyRow[]> = new Map()
    try {
      if (byKey.size > 1) {
        const keys = [...byKey.values()].flatMap(([waiting]) =>
          waiting === undefined ? [] : [waiting.read.key],
        )
        const readAll = first.read.nestedAs === undefined ? readTogether : readNested
        found = await this.#gateOf(model).run(() => readAll(first.read, keys, isList))
      }
    } catch (error) {
      for (const { reject } of [...byKey.values()].flat()) reject(error)
      return
    }
    for (const [keyText, waiting] of byKey) {
      const rows = found.get(keyText)
      const [one] = waiting
      const result: Promise<unknown> =
        rows === undefined && one !== undefined
          ? this.readAlone(one.read)
          : Promise.resolve(isList ? rows : (rows?.[0] ?? null))
      giveEach(waiting, result, ({ read }) => this.readAlone(read))
    }
  }

  #gateOf(model: string): Gate {
    const gate = this.#gates.get(model) ?? new Gate(model, this.#timeoutMs)
    this.#gates.set(model, gate)
    return gate
  }

  #numberOf(delegate: object): number {
    const number = this.#delegates.get(delegate) ?? this.#delegateCount++
    this.#delegates.set(delegate, number)
    return number
  }
}

/** From its beginning, in the order of the query: that is what rows of many keys can be cut into. */
function isPage({ take, skip, cursor, distinct }: RelationQuery): boolean {
  const isCount = (value: unknown) => value === undefined || (typeof value === 'number' && value >= 0)
  return isCount(take) && isCount(skip) && cursor === undefined && distinct === undefined
}

/** The rows of each key; keys that are not among them have to be read alone. */
async function readTogether(
  { delegate, query }: RelationRead,
  keys: readonly Readonly<Record<string, unknown>>[],
  isList: boolean,
): Promise<ReadonlyMap<string, readonly AnyRow[]>> {
  const { take, skip = 0, where, orderBy, select, ...rest } = query
  const columns = Object.keys(keys[0] ?? {})
  const pageSize = typeof take === 'number' ? Number(skip) + take : null
  const rowsMax = isList && pageSize !== null ? keys.length * Math.max(pageSize, 1) * SPARE_ROWS : null
  const orders = [...columns.map((column) => ({ [column]: 'asc' })), ...[orderBy ?? []].flat()]
  const rows = await delegate.findMany({
    ...rest,
    where: where === undefined ? anyOf(columns, keys) : { AND: [anyOf(columns, keys), where] },
    ...(isList ? { orderBy: orders } : {}),
    ...(rowsMax === null ? {} : { take: rowsMax + 1 }),
    ...(select === undefined
      ? {}
      : { select: { ...Object(select), ...Object.fromEntries(columns.map((each) => [each, true])) } }),
  })
  const found = new Map<string, readonly AnyRow[]>()
  for (const key of keys) found.set(textOf(Object.values(key)), [])
  const groups = groupBy(rows, (row) => textOf(columns.map((column) => row[column])))
  // Equal to PostgreSQL and not to us: citext, padded text. Only it can tell whose these are.
  if ([...groups.keys()].some((text) => !found.has(text))) return new Map()
  const added = columns.filter((column) => select !== undefined && Object(select)[column] === undefined)
  for (const [text, group] of groups) {
    const page = pageSize === null ? group.slice(Number(skip)) : group.slice(Number(skip), pageSize)
    found.set(
      text,
      page.map((row) => withoutColumns(row, added)),
    )
  }
  if (rowsMax === null || rows.length <= rowsMax) return found
  // Cut: what comes before the last key is whole.
  const whole = [...groups.keys()].slice(0, -1)
  return new Map(whole.map((text) => [text, found.get(text) ?? []]))
}

/** The same through the rows that have the keys; of one that is gone nothing is found. */
async function readNested(
  { delegate, query, nestedAs = '' }: RelationRead,
  keys: readonly Readonly<Record<string, unknown>>[],
): Promise<ReadonlyMap<string, readonly AnyRow[]>> {
  const columns = Object.keys(keys[0] ?? {})
  const nested = Object.keys(query).length === 0 ? true : query
  const select = { ...Object.fromEntries(columns.map((column) => [column, true])), [nestedAs]: nested }
  const rows = await delegate.findMany({ where: anyOf(columns, keys), select })
  return new Map(
    rows.map((row) => [textOf(columns.map((column) => row[column])), row[nestedAs] as readonly AnyRow[]]),
  )
}

function anyOf(columns: readonly string[], keys: readonly Readonly<Record<string, unknown>>[]): object {
  const [column] = columns
  if (columns.length !== 1 || column === undefined) return { OR: keys }
  return { [column]: { in: keys.map((key) => key[column]) } }
}

function groupBy<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

function textOf(values: readonly unknown[]): string {
  return canonicalText(values) ?? ''
}

function withoutColumns(row: AnyRow, columns: readonly string[]): AnyRow {
  if (columns.length === 0) return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)))
}

/** A read that waits for its turn, unless it has waited too long. */
interface GatedRead {
  isLate: boolean
  readonly begin: () => void
}

/** At most so many queries of one model at a time; the others wait, all of them for a bounded time. */
class Gate {
  readonly #model: string
  readonly #timeoutMs: number
  /** In the order in which they become late. */
  readonly #waiting: GatedRead[] = []
  #running = 0

  constructor(model: string, timeoutMs: number) {
    this.#model = model
    this.#timeoutMs = timeoutMs
  }

  run<Result>(read: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        gated.isLate = true
        this.#forgetLate()
        const text = `Reading rows of ${this.#model} for a change took longer than ${this.#timeoutMs} ms.`
        reject(graphqlError('RELATION_TOO_SLOW', text))
      }, this.#timeoutMs)
      const begin = () => {
        this.#running += 1
        // Its connection is taken until it ends, however late that is.
        void this.#settle(read, resolve, reject).then(() => {
          clearTimeout(timer)
          this.#running -= 1
          this.#next()
        })
      }
      const gated: GatedRead = { isLate: false, begin }
      this.#waiting.push(gated)
      this.#next()
    })
  }

  async #settle<Result>(
    read: () => Promise<Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ): Promise<void> {
    try {
      resolve(await read())
    } catch (error) {
      reject(error)
    }
  }

  #next(): void {
    this.#forgetLate()
    if (this.#running < QUERIES_MAX) this.#waiting.shift()?.begin()
  }

  /** Nobody waits for them any more: a table may be locked for hours. */
  #forgetLate(): void {
    while (this.#waiting[0]?.isLate === true) this.#waiting.shift()
  }
}
