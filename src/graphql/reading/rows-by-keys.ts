/**
 * Stage 7, graphql. The rows of many keys with few queries: read together where they are few enough for that, so that what
 * is read grows with what is asked for and not with the table. A key that is not in the answer has to be read alone.
 */

import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { AnyRow } from '../../changes/change.ts'
import type { RowEstimate } from './estimate-rows.ts'
import type { OperationReads } from './read-pool.ts'
import { both, type RelationKey } from './relation-link.ts'
import { bytesOf } from './row-weights.ts'

/** A Prisma query without the condition on its key. */
export type RelationQuery = Readonly<Record<string, unknown>>

/** Statements of one model, each as part of what an operation reads. */
export interface StatementDelegate {
  findMany(query: object, reads?: OperationReads): Promise<AnyRow[]>
  count(query: object, reads?: OperationReads): Promise<number>
  /** How many rows each key has. */
  groupBy?(query: object, reads?: OperationReads): Promise<AnyRow[]>
}

/** What is asked for with each of the keys. */
export interface KeyedRead {
  readonly delegate: StatementDelegate
  readonly query: RelationQuery
  readonly kind: 'list' | 'one' | 'count'
  /** Reads the rows nested in those that have the key, under this name: whose they are, no column of theirs says. */
  readonly nestedAs?: string | undefined
  /** Rows that have one of the keys, counted up to `max` and one more, and their bytes; null where that is not known. */
  readonly estimate?:
    | ((keys: readonly RelationKey[], max: number, reads?: OperationReads) => Promise<RowEstimate | null>)
    | undefined
  /** Whether its rows have fields of any length. @default false */
  readonly isHeavy?: boolean | undefined
  /** The query without the lists in it, and what adds them to its rows. @default the query as it is */
  readonly split?: ((query: RelationQuery, reads: OperationReads) => SplitRead) | undefined
  /** Rows of a list without `take`. @default no bound */
  readonly rowsMax?: number | undefined
}

/** A query in two steps, so that lists are read for those rows only that are shown. */
export interface SplitRead {
  readonly base: RelationQuery
  complete(rows: readonly AnyRow[]): Promise<void>
}

/** What each key has found, by the key's text: rows, or a number. */
export type FoundRows = Map<string, unknown>

/** Rows that are read together at most for each row that the pages can hold. */
const SPARE_ROWS = 4
/** So few rows are read together, however few the pages hold: a query for each key would cost more. */
const FEW_ROWS = 500
/** Parts of keys that have too many rows together, and how often parts have parts. */
const PARTS = 8
const PARTINGS_MAX = 2
/** So few keys are read one by one: counting first would cost as much. */
const FEW_KEYS = 3

/** What the keys have found. */
export async function readByKeys(
  read: KeyedRead,
  keys: readonly RelationKey[],
  reads?: OperationReads,
): Promise<FoundRows> {
  const found: FoundRows = new Map()
  const split = reads && read.split?.(read.query, reads)
  const part: PartRead = { ...read, query: split?.base ?? read.query, reads }
  await readPart(part, withoutLookalikes(keys), found, 0)
  await split?.complete([...found.values()].flat().filter((row) => row !== null) as AnyRow[])
  return found
}

/** One text for a key. */
export function textOfKey(values: readonly unknown[]): string {
  return canonicalText(values) ?? ''
}

/** From its beginning, in the order of the query: that is what rows of many keys can be cut into. */
export function isPage({ take, skip, cursor, distinct }: RelationQuery): boolean {
  const isCount = (value: unknown) => value === undefined || (typeof value === 'number' && value >= 0)
  return isCount(take) && isCount(skip) && cursor === undefined && distinct === undefined
}

/** A read as part of what an operation reads; without one nothing is bounded. */
interface PartRead extends KeyedRead {
  readonly reads: OperationReads | undefined
}

async function readPart(
  read: PartRead,
  keys: readonly RelationKey[],
  found: FoundRows,
  level: number,
): Promise<void> {
  if (keys.length < 2) return
  const max = rowsMaxOf(read, keys.length)
  const estimate = await estimateTogether(read, keys, max)
  if (estimate === 'alone') return
  if (estimate === 'parts') {
    if (level >= PARTINGS_MAX) return
    const size = Math.ceil(keys.length / PARTS)
    for (let at = 0; at < keys.length; at += size) {
      await readPart(read, keys.slice(at, at + size), found, level + 1)
    }
    return
  }
  await read.reads?.reserve(estimate)
  const reader = read.kind === 'count' ? countTogether : readTogether
  const part = read.nestedAs === undefined ? await reader(read, keys, max) : await readNested(read, keys)
  read.reads?.settle(bytesOf([...part.values()]), estimate)
  for (const [text, value] of part) found.set(text, value)
}

/** The bytes of what would be read; or that it is too much for one statement, or not known. */
async function estimateTogether(
  read: PartRead,
  keys: readonly RelationKey[],
  max: number | null,
): Promise<number | 'parts' | 'alone'> {
  const isFew = keys.length <= FEW_KEYS
  if (read.estimate === undefined || (max === null && (read.isHeavy !== true || isFew))) return 0
  if (isFew) return 'alone'
  const estimate = await read.estimate(keys, max ?? keys.length, read.reads)
  // Prisma Client reads nested lists whole.
  if (estimate === null) return read.nestedAs === undefined ? 0 : 'alone'
  const isTooMuch = estimate.rows > (max ?? keys.length) || read.reads?.fits(estimate.bytes) === false
  return isTooMuch ? 'parts' : estimate.bytes
}

/** Rows that these keys may have to be read together; null for any number. What is skipped would be read as well: it does not count. */
function rowsMaxOf({ kind, query: { take }, rowsMax }: KeyedRead, keyCount: number): number | null {
  if (kind !== 'list') return null
  return typeof take === 'number' ? Math.max(keyCount * take * SPARE_ROWS, FEW_ROWS) : (rowsMax ?? null)
}

/** The rows of each key; keys that are not among them have to be read alone. */
async function readTogether(
  { delegate, query, kind, reads }: PartRead,
  keys: readonly RelationKey[],
  max: number | null,
): Promise<FoundRows> {
  const { take, skip = 0, where, orderBy, select, ...rest } = query
  const columns = Object.keys(keys[0] ?? {})
  const isList = kind === 'list'
  const orders = [...columns.map((column) => ({ [column]: 'asc' })), ...[orderBy ?? []].flat()]
  const rows = await delegate.findMany(
    {
      ...rest,
      where: both(anyOf(columns, keys), where),
      ...(isList ? { orderBy: orders } : {}),
      ...(max === null ? {} : { take: max + 1 }),
      ...(select === undefined
        ? {}
        : { select: { ...Object(select), ...Object.fromEntries(columns.map((each) => [each, true])) } }),
    },
    reads,
  )
  const groups = groupByKey(rows, columns, keys)
  if (groups === null) return new Map()
  const end = typeof take === 'number' ? Number(skip) + take : undefined
  const added = columns.filter((column) => select !== undefined && Object(select)[column] === undefined)
  const found: FoundRows = new Map()
  for (const [text, group] of groups) {
    const page = group.slice(Number(skip), end).map((row) => withoutColumns(row, added))
    found.set(text, isList ? page : (page[0] ?? null))
  }
  if (max === null || rows.length <= max) return found
  // Cut: what comes before the last key is whole.
  const last = textOfKey(columns.map((column) => rows.at(-1)?.[column]))
  const whole = [...new Set(rows.map((row) => textOfKey(columns.map((column) => row[column]))))]
  return new Map(whole.filter((text) => text !== last).map((text) => [text, found.get(text)]))
}

/** The same through the rows that have the keys; of one that is gone nothing is found. */
async function readNested(
  { delegate, query, kind, nestedAs = '', reads }: PartRead,
  keys: readonly RelationKey[],
): Promise<FoundRows> {
  const columns = Object.keys(keys[0] ?? {})
  const nested = Object.keys(query).length === 0 ? true : query
  const relation = kind === 'count' ? { _count: { select: { [nestedAs]: nested } } } : { [nestedAs]: nested }
  const select = { ...Object.fromEntries(columns.map((column) => [column, true])), ...relation }
  const rows = await delegate.findMany({ where: anyOf(columns, keys), select }, reads)
  const nestedOf = (row: AnyRow) => (kind === 'count' ? Object(row['_count'])[nestedAs] : row[nestedAs])
  return new Map(rows.map((row) => [textOfKey(columns.map((column) => row[column])), nestedOf(row)]))
}

/** How many rows each key has. */
async function countTogether(
  { delegate, query, reads }: PartRead,
  keys: readonly RelationKey[],
): Promise<FoundRows> {
  if (delegate.groupBy === undefined) return new Map()
  const columns = Object.keys(keys[0] ?? {})
  const { where } = query
  const rows = await delegate.groupBy(
    {
      by: columns,
      where: both(anyOf(columns, keys), where),
      _count: { _all: true },
    },
    reads,
  )
  const groups = groupByKey(rows, columns, keys)
  if (groups === null) return new Map()
  return new Map([...groups].map(([text, [row]]) => [text, Object(row?.['_count'])._all ?? 0]))
}

/** The rows of each key; null where PostgreSQL has found rows for keys that look different: only it knows whose they are. */
function groupByKey(
  rows: readonly AnyRow[],
  columns: readonly string[],
  keys: readonly RelationKey[],
): ReadonlyMap<string, readonly AnyRow[]> | null {
  const groups = new Map<string, AnyRow[]>()
  for (const key of keys) groups.set(textOfKey(Object.values(key)), [])
  for (const row of rows) {
    const group = groups.get(textOfKey(columns.map((column) => row[column])))
    if (group === undefined) return null
    group.push(row)
  }
  return groups
}

/**
 * The keys but for those that may be equal to another: PostgreSQL compares citext, char(n) and some collations by less than
 * their letters, and rows that have one spelling belong to the keys of both.
 */
function withoutLookalikes(keys: readonly RelationKey[]): readonly RelationKey[] {
  const counts = new Map<string, number>()
  const folded = keys.map((key) => textOfKey(Object.values(key).map(fold)))
  for (const text of folded) counts.set(text, (counts.get(text) ?? 0) + 1)
  return keys.filter((_key, index) => counts.get(folded[index] ?? '') === 1)
}

const MARKS = /\p{M}/gu

/** Without case, accents and blanks at the end. */
export function fold(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return value.normalize('NFKD').replace(MARKS, '').toUpperCase().toLowerCase().trimEnd()
}

function anyOf(columns: readonly string[], keys: readonly RelationKey[]): object {
  const [column] = columns
  if (columns.length !== 1 || column === undefined) return { OR: keys }
  return { [column]: { in: keys.map((key) => key[column]) } }
}

function withoutColumns(row: AnyRow, columns: readonly string[]): AnyRow {
  if (columns.length === 0) return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.includes(name)))
}
