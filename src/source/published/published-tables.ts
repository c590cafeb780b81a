/**
 * Stage 5, source. What is published of a model, as evidence that can be compared: when it differs between two looks at
 * the catalog, something happened in between of which the stream may have said nothing. Pure.
 *
 * The evidence is identity, not content: a table that leaves the publication and comes back has the same name and
 * options, but another row in pg_publication_rel.
 * Source: PostgreSQL manual, "pg_publication", "pg_publication_rel", "pg_publication_namespace", "pg_class".
 */

import { hasMembers } from '../../member-of.ts'
import { areSameColumns, followColumns, isTableColumns, type TableColumns } from './table-columns.ts'

/**
 * A partition, at any depth: its OID, the transaction that attached it, its file (0: it has partitions of its own), and
 * whether it was made as a partition, so that all of its rows came through the publication.
 */
export type PublishedPart = readonly [oid: number, link: number, fileNode: number, isBorn: boolean]

/** One published table. */
export interface PublishedTable {
  readonly oid: number
  /** All rows of the catalog that decide what is published of it, by OID and by the transaction that wrote them. */
  readonly evidence: string
  /** pg_class.relfilenode: another one after a rewrite, TRUNCATE, and each change between LOGGED and UNLOGGED. */
  readonly fileNode: number
  /** pg_class.reltoastrelid: VACUUM FULL, CLUSTER and TRUNCATE keep it, ALTER TABLE makes another; 0: it has none. */
  readonly toastOid: number
  /** By OID; empty for a table without partitions. */
  readonly parts: readonly PublishedPart[]
  /**
   * What another file can mean. `nothing`: the table is published by name, and then PostgreSQL refuses to make it
   * UNLOGGED. `unlogged`: it may have been UNLOGGED for a while. `truncate`: TRUNCATE is not published.
   */
  readonly rewriteMeans: 'nothing' | 'unlogged' | 'truncate'
  /** Its columns; undefined where the process that wrote it down did not look at them. */
  readonly columns?: TableColumns | undefined
}

/** All tables that a model's rows come from, by OID. */
export type PublishedModel = readonly PublishedTable[]

/** Whether nothing can have happened between two looks that the stream does not say. */
export function isSamePublished(before: PublishedModel, now: PublishedModel): boolean {
  return (
    before.length === now.length &&
    before.every((table, index) => isSameTable(table, now[index] as PublishedTable))
  )
}

function isSameTable(before: PublishedTable, now: PublishedTable): boolean {
  if (before.oid !== now.oid || before.evidence !== now.evidence) return false
  if (!mayFollow(before.parts, now.parts)) return false
  const isRewritten = before.fileNode !== now.fileNode
  const isOfSameToast = now.toastOid !== 0 && before.toastOid === now.toastOid
  if (!areSameColumns(before.columns, now.columns, isRewritten && !isOfSameToast)) return false
  if (!isRewritten) return true
  switch (now.rewriteMeans) {
    case 'nothing':
      return true
    case 'unlogged':
      return isOfSameToast
    case 'truncate':
      return false
  }
}

/**
 * Whether no rows came or went with a partition. PostgreSQL says nothing of ATTACH, DETACH and DROP, nor of TRUNCATE of a
 * single partition, which gets another file, as it does by VACUUM FULL and CLUSTER.
 */
function mayFollow(before: readonly PublishedPart[], now: readonly PublishedPart[]): boolean {
  if (before.length === 0 && now.length === 0) return true
  const present = new Map(now.map((part) => [part[0], part]))
  const known = new Set(before.map(([oid]) => oid))
  const isKept = ([oid, link, fileNode]: PublishedPart) =>
    present.get(oid)?.[1] === link && present.get(oid)?.[2] === fileNode
  return before.every(isKept) && now.every(([oid, , , isBorn]) => isBorn || known.has(oid))
}

/** What is known of a model once nothing is missing between two looks: a column that is gone is kept as it was. */
export function followPublished(before: PublishedModel, now: PublishedModel): PublishedModel {
  return now.map((table) => {
    const known = before.find(({ oid }) => oid === table.oid)
    return known === undefined ? table : { ...table, columns: followColumns(known.columns, table.columns) }
  })
}

/** Whether there are partitions now that there were not. */
export function hasNewParts(before: PublishedModel, now: PublishedModel): boolean {
  const count = (model: PublishedModel) => model.reduce((sum, { parts }) => sum + parts.length, 0)
  return count(now) > count(before)
}

/** Rows of the query, which has one for each table, as one list for each model; null: not all of it is published. */
export function groupByModel(
  rows: readonly { readonly model: string; readonly published: PublishedTable | null }[],
): ReadonlyMap<string, PublishedModel | null> {
  const models = new Map<string, PublishedTable[] | null>()
  for (const { model, published } of rows) {
    const known = models.get(model)
    if (published === null || known === null) models.set(model, null)
    else
      models.set(
        model,
        [...(known ?? []), published].sort((a, b) => a.oid - b.oid),
      )
  }
  return models
}

/** Parses what `JSON.stringify` made of a model; null for anything else. */
export function parsePublishedModel(value: unknown): PublishedModel | null {
  return Array.isArray(value) && value.every(isPublishedTable) ? value : null
}

function isPublishedTable(value: unknown): value is PublishedTable {
  if (!hasMembers(value)) return false
  const table: Partial<Record<keyof PublishedTable, unknown>> = value
  const { oid, evidence, fileNode, toastOid, parts, rewriteMeans, columns } = table
  return (
    (columns === undefined || isTableColumns(columns)) &&
    typeof evidence === 'string' &&
    Array.isArray(parts) &&
    parts.every(isPublishedPart) &&
    [oid, fileNode, toastOid].every((each) => typeof each === 'number') &&
    (rewriteMeans === 'nothing' || rewriteMeans === 'unlogged' || rewriteMeans === 'truncate')
  )
}

function isPublishedPart(value: unknown): value is PublishedPart {
  if (!Array.isArray(value) || value.length !== 4) return false
  return value.every((each, index) => typeof each === (index === 3 ? 'boolean' : 'number'))
}
