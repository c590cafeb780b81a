/** Beside the spine, sets. What rows of a list show of related rows, read in the snapshot of the rows themselves. */
import { createHash } from 'node:crypto'
import { relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { AnyRow } from '../changes/change.ts'
import { invariant, RowcastError } from '../errors.ts'
import type { FindMany } from './fence.ts'
import { keyedWheres } from './narrowed-where.ts'
import type { ReadRelation, ReadStep } from './read-relation.ts'
import { readWindow, type WindowBounds } from './read-window.ts'

/** Related rows of one list. */
const RELATED_ROWS_MAX = 10_000
/** What is kept of one, by estimate. */
const KEPT_BYTES = 64

/** What is shown of related rows. */
export interface ReadRelated {
  /** Of each row, equal as long as it shows the same; null where that is not known. */
  readonly texts: readonly (string | null)[]
  /** Keys of the rows that are shown, and of those that would be if they were there, by relation. */
  readonly keys: ReadonlyMap<string, ReadonlySet<ValueKey>>
  readonly bytes: number
}

/** How they are read. */
export interface RelatedReads {
  readonly of: (model: ModelSpec) => FindMany
  /** The PostgreSQL schema of tables that name none. */
  readonly schema: string
  /** Rows that count as there; null for all. */
  readonly unmarked: (model: ModelSpec) => object | null
  readonly bounds: Pick<WindowBounds, 'bytesMax' | 'bytesOf'>
}

/** Whose: numbers of rows of the list. */
type Holders = Map<ValueKey, { readonly values: readonly unknown[]; readonly rows: Set<number> }>

/** Null where no relations are asked for. @throws LIST_TOO_COSTLY where there are too many */
export async function readRelated(
  rows: readonly AnyRow[],
  relations: readonly ReadRelation[],
  reads: RelatedReads,
): Promise<ReadRelated | null> {
  if (relations.length === 0) return null
  const parts = rows.map((): (string | null)[] => [])
  const keys = new Map<string, ReadonlySet<ValueKey>>()
  const room = { rows: RELATED_ROWS_MAX, bytes: reads.bounds.bytesMax }
  for (const relation of relations) {
    const texts = rows.map((): (string | null)[] => [])
    const left = { ...room }
    const found = await shownRows(rows, relation, { reads, room: left })
    if (found === null && !relation.isOptional) throw tooMany(relation)
    if (found === null) continue
    Object.assign(room, left)
    for (const { row, holders } of found.rows) {
      const text = canonicalText(relation.fields.map((name) => row[name]))
      for (const holder of holders) texts[holder]?.push(text)
    }
    keys.set(relation.name, found.keys)
    for (const [index, each] of texts.entries()) parts[index]?.push(joined(each.sort()))
  }
  const bytes = (RELATED_ROWS_MAX - room.rows) * KEPT_BYTES
  return { texts: parts.map((each) => hashed(joined(each))), keys, bytes }
}

function joined(texts: readonly (string | null)[]): string | null {
  return texts.includes(null) ? null : JSON.stringify(texts)
}

function hashed(text: string | null): string | null {
  return text === null ? null : createHash('sha256').update(text).digest('base64')
}

/** A related row, and the rows of the list that show it. */
interface ShownRow {
  readonly row: AnyRow
  readonly holders: Iterable<number>
}

interface ShownRows {
  readonly rows: readonly ShownRow[]
  /** By which they were asked for. A row that is marked as deleted comes back under one of them, and its pair in the join table is as it was. */
  readonly keys: ReadonlySet<ValueKey>
}

interface ReadingRows {
  readonly reads: RelatedReads
  /** What may still be read. */
  readonly room: { rows: number; bytes: number }
}

/** From step to step; null where there are too many. */
async function shownRows(
  rows: readonly AnyRow[],
  { steps, first, where }: ReadRelation,
  reading: ReadingRows,
): Promise<ShownRows | null> {
  let holders: Holders = new Map()
  for (const [index, row] of rows.entries()) hold(holders, row, first, [index])
  let shown: readonly ShownRow[] | null = []
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1]
    shown = await rowsOf(step, holders, next === undefined ? where : null, reading)
    if (shown === null) return null
    if (next === undefined) break
    holders = new Map()
    for (const { row, holders: others } of shown)
      hold(holders, row, { fields: next.from, domains: next.domains }, others)
  }
  return { rows: shown, keys: new Set(holders.keys()) }
}

/** Rows of the list have what belongs to this row. */
function hold(
  holders: Holders,
  row: AnyRow,
  { fields, domains }: Pick<ReadRelation['first'], 'fields' | 'domains'>,
  numbers: Iterable<number>,
): void {
  const key = relatedKeyOf(row, fields, domains)
  if (key === null || key === undefined) return
  const known = holders.get(key) ?? { values: fields.map((name) => row[name]), rows: new Set() }
  holders.set(key, known)
  for (const number of numbers) known.rows.add(number)
}

async function rowsOf(
  { model, to, domains }: ReadStep,
  holders: Holders,
  where: object | null,
  { reads, room }: ReadingRows,
): Promise<readonly ShownRow[] | null> {
  const keys = new Map([...holders].map(([key, { values }]) => [key, values] as const))
  const wheres = keyedWheres(model, [{ fields: to, domains, keys }])
  invariant(wheres !== null, 'Related rows are asked for by values that a query takes.')
  const conditions = [where, reads.unmarked(model)].filter((each) => each !== null)
  const orderBy = model.primaryKey.map((name) => ({ [name]: 'asc' }))
  const findMany = reads.of({ ...model, schema: model.schema ?? reads.schema })
  const found: ShownRow[] = []
  for (const keyed of wheres) {
    const query = { where: conditions.length === 0 ? keyed : { AND: [keyed, ...conditions] }, orderBy }
    const bounds = { ...reads.bounds, rowsMax: room.rows + 1, bytesMax: room.bytes }
    const { rows, bytes } = await readWindow(findMany, query, bounds)
    room.rows -= rows.length
    room.bytes -= bytes
    if (room.rows < 0 || room.bytes < 0) return null
    for (const row of rows) {
      const key = relatedKeyOf(row, to, domains)
      if (key === null || key === undefined) continue
      found.push({ row, holders: holders.get(key)?.rows ?? [] })
    }
  }
  return found
}

function tooMany({ last }: ReadRelation): RowcastError {
  return new RowcastError(
    'LIST_TOO_COSTLY',
    `The rows of a list have more related rows of ${last.related.model.name} than are read with them.`,
    { hint: 'Take fewer rows, or do not select the relation.' },
  )
}
