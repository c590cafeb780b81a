/**
 * Stage 3, catalog. Which tables write the rows of a published one, and how much of the row before they log.
 *
 * PostgreSQL publishes the changes of a partition as changes of its root. It marks every old tuple as whole where the root
 * has REPLICA IDENTITY FULL, whatever the partition logs: from a partition with DEFAULT comes the key, with NULL in all
 * other columns. But it describes the partition as well: behind the root's Relation message and directly before the change
 * comes the partition's own, before its first change on a connection and again whenever it may have been altered.
 * Source: pgoutput.c, maybe_send_schema; ExtractReplicaIdentity in heapam.c.
 */

import type {
  DeleteMessage,
  InsertMessage,
  OldKind,
  RelationMessage,
  UpdateMessage,
} from '../pgoutput/messages.ts'
import { filledColumns } from '../pgoutput/tuple.ts'

/** The messages about one row. */
export type RowMessage = InsertMessage | UpdateMessage | DeleteMessage

const NOBODY: readonly string[] = []
const NO_WRITERS: readonly RelationMessage[] = []

/** The tables that write rows of others, on one stream. */
export class WritingTables {
  /** What was described since the last row. */
  #described: RelationMessage[] = []
  /** By OID of the published table: those of its writers that do not log whole rows, by OID. */
  readonly #partial = new Map<number, ReadonlyMap<number, RelationMessage>>()

  /** Takes a Relation message. */
  describe(message: RelationMessage): void {
    this.#described.push(message)
  }

  /**
   * Models, by the names that `modelOf` has, whose tables were described since the last row, and write this one, which comes under another
   * name: they are partitions of what is published, for now.
   */
  modelsBehind(oid: number, modelOf: (oid: number) => string | undefined): readonly string[] {
    if (this.#described.length === 0) return NOBODY
    const published = modelOf(oid)
    return this.#described.flatMap((writer) => {
      const model = modelOf(writer.oid)
      return model === undefined || model === published ? [] : [model]
    })
  }

  /** A row of the table comes. Returns whether its partial writers have changed. */
  noteRow(oid: number): boolean {
    if (this.#described.length === 0) return false
    const described = this.#described
    this.#described = []
    let isChanged = false
    for (const writer of described) {
      const isOther = writer.oid !== oid
      for (const [published, writers] of this.#partial) {
        if (isOther && published === oid) continue
        isChanged = this.#forget(published, writers, writer.oid) || isChanged
      }
      if (isOther) isChanged = this.#place(oid, writer) || isChanged
    }
    return isChanged
  }

  /** A TRUNCATE comes: the tables described since the last row are those that it emptied, and write no row. */
  noteTruncate(): void {
    this.#described = []
  }

  /** Those writers of the published table that do not log whole rows. */
  partialWritersOf(oid: number): readonly RelationMessage[] {
    const writers = this.#partial.get(oid)
    return writers === undefined ? NO_WRITERS : [...writers.values()]
  }

  /** What somebody else has found out: these are the partial writers of the table, and no others. */
  replace(oid: number, writers: readonly RelationMessage[]): void {
    this.#described = []
    if (writers.length === 0) this.#partial.delete(oid)
    else this.#partial.set(oid, new Map(writers.map((writer) => [writer.oid, writer])))
  }

  /** A new connection: PostgreSQL describes each again. */
  clear(): void {
    this.#described = []
    this.#partial.clear()
  }

  #place(published: number, writer: RelationMessage): boolean {
    const writers = this.#partial.get(published) ?? new Map<number, RelationMessage>()
    if (writer.replicaIdentity === 'full') return this.#forget(published, writers, writer.oid)
    this.#partial.set(published, new Map([...writers, [writer.oid, writer]]))
    return true
  }

  #forget(published: number, writers: ReadonlyMap<number, RelationMessage>, oid: number): boolean {
    if (!writers.has(oid)) return false
    const rest = [...writers].filter(([each]) => each !== oid)
    if (rest.length === 0) this.#partial.delete(published)
    else this.#partial.set(published, new Map(rest))
    return true
  }
}

/**
 * How much of the row before a message holds, where some of the tables that may have written it log a part of it only.
 * What all but the columns of such a part is NULL in may be that part: then it is not known to be the whole row. Pure.
 */
export function judgeOldKind(
  { old, oldKind }: Pick<RowMessage, 'old' | 'oldKind'>,
  published: Pick<RelationMessage, 'columns'>,
  partialWriters: readonly Pick<RelationMessage, 'columns'>[],
): OldKind {
  if (oldKind !== 'full' || old === null || partialWriters.length === 0) return oldKind
  const filled = filledColumns(old)
  const mayBePart = partialWriters.some((writer) => {
    const logged = loggedColumns(writer)
    const beyond = published.columns.flatMap(({ name }, index) => (logged.has(name) ? [] : [index]))
    return beyond.length > 0 && beyond.every((index) => !filled.has(index))
  })
  return mayBePart ? 'key' : 'full'
}

/** Names of the columns that a table logs of a row's former self. */
export function loggedColumns({ columns }: Pick<RelationMessage, 'columns'>): ReadonlySet<string> {
  return new Set(columns.filter((column) => column.isKey).map((column) => column.name))
}
