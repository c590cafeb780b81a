/**
 * Stage 5, source. Ends drifts by what the catalog says. A table that fits again is described as PostgreSQL would describe it
 * before its next row, once the stream has come to where it was seen so: no row that does not fit is still to come. What the stream
 * has described since then may be newer, and counts.
 */
import type { Buffer } from 'node:buffer'
import type { RelationRegistry } from '../../catalog/relation-registry.ts'
import { decodeMessage } from '../../pgoutput/decode.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { RunQuery } from '../db/run-query.ts'
import { readTableShapes, type ShapedTable, type TableShapes } from '../setup/table-shapes.ts'

export interface DriftWatchOptions {
  readonly registry: Pick<RelationRegistry, 'drifts' | 'revision' | 'wouldFit'>
  /** Takes a message as if the stream had brought it, between two transactions. */
  readonly accept: (bytes: Buffer) => void
}

/** A table of a model. */
export interface ModelTableShape extends ShapedTable {
  readonly model: string
}

/** One per reader of changes. */
export class DriftWatch {
  readonly #options: DriftWatchOptions
  #seen: (TableShapes & { readonly revision: number }) | null = null

  constructor(options: DriftWatchOptions) {
    this.#options = options
  }

  /** Whether a look may end a drift. */
  get isDue(): boolean {
    return this.#options.registry.drifts.size > 0 && this.#seen === null
  }

  /** Looks at the tables of drifted models. */
  async look(query: RunQuery, tables: readonly ModelTableShape[]): Promise<void> {
    const { registry } = this.#options
    const { revision } = registry
    const drifted = tables.filter(({ model }) => registry.drifts.has(model))
    const shapes = await readTableShapes(query, drifted)
    if (shapes !== null && this.#doFit(shapes)) this.#seen = { ...shapes, revision }
  }

  /** Everything before `lsn` has come, and no transaction is open. */
  reaches(lsn: Lsn): void {
    const shapes = this.#seen
    if (shapes === null || lsn < shapes.lsn) return
    this.#seen = null
    const { registry } = this.#options
    if (registry.drifts.size === 0 || registry.revision !== shapes.revision) return
    for (const bytes of shapes.messages) this.#options.accept(bytes)
  }

  /** Another stream has another position. */
  reset(): void {
    this.#seen = null
  }

  #doFit({ messages }: TableShapes): boolean {
    const decoded = messages.map((bytes) => decodeMessage(bytes, 0, bytes.length))
    return this.#options.registry.wouldFit(
      decoded.flatMap((message) => (message.kind === 'relation' ? [message] : [])),
      decoded.flatMap((message) => (message.kind === 'type' ? [message] : [])),
    )
  }
}
