/**
 * Stage 7, graphql. Which rows a viewer may see by a rule that asks other rows: the database is asked once more, for the keys of the rows,
 * whatever resolver has found them. What is asked for in one turn of the event loop becomes one query.
 */

import type { SchemaTypes } from '@pothos/core'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { primaryKeyOf } from '../../catalog/row-key.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import type { AnyRow } from '../../changes/change.ts'
import type { RowVisibility, VisibilityQuestion } from '../policy/guard-rows.ts'
import type { BoundedReader } from '../reading/bounded-reader.ts'
import { readAs } from '../reading/read-pool.ts'
import { sentRow } from '../subscription/image-rows.ts'
import { builderReader } from './image-reader.ts'

/** Keys of one statement. */
const KEYS_MAX = 500

interface Asked {
  readonly key: AnyRow
  readonly answers: ((isVisible: boolean) => void)[]
}

/** The keys of one model that one viewer has asked for, by their text. */
interface Batch extends VisibilityQuestion {
  readonly spec: ModelSpec
  readonly asked: Map<string, Asked>
  readonly reject: ((error: unknown) => void)[]
}

/** Asks for the rows of a builder's schema. */
export class VisibleRows implements RowVisibility {
  readonly #catalog: () => ModelCatalog
  readonly #readerOf: (context: object) => BoundedReader
  #batches = new Map<object, Map<string, Batch>>()

  constructor(catalog: () => ModelCatalog, readerOf: (context: object) => BoundedReader) {
    this.#catalog = catalog
    this.#readerOf = readerOf
  }

  /** Whether the rule lets the viewer see the row as the database has it now. A row without its key is not shown. */
  isVisible(row: AnyRow, question: VisibilityQuestion): Promise<boolean> {
    const spec = this.#catalog().models[question.model]
    const key = spec === undefined ? null : keyOf(spec, sentRow(row))
    const text = key === null ? null : canonicalText(Object.values(key))
    if (spec === undefined || key === null || text === null) return Promise.resolve(false)
    const { asked, reject } = this.#batchOf(spec, question)
    return new Promise((resolve, fail) => {
      const known = asked.get(text)
      if (known === undefined) asked.set(text, { key, answers: [resolve] })
      else known.answers.push(resolve)
      reject.push(fail)
    })
  }

  #batchOf(spec: ModelSpec, question: VisibilityQuestion): Batch {
    if (this.#batches.size === 0) setImmediate(() => this.#flush())
    const byModel = this.#batches.get(question.context) ?? new Map<string, Batch>()
    this.#batches.set(question.context, byModel)
    const batch = byModel.get(spec.name) ?? { ...question, spec, asked: new Map(), reject: [] }
    byModel.set(spec.name, batch)
    return batch
  }

  #flush(): void {
    const batches = [...this.#batches.values()].flatMap((byModel) => [...byModel.values()])
    this.#batches = new Map()
    for (const batch of batches) {
      this.#answer(batch).catch((error: unknown) => {
        for (const reject of batch.reject) reject(error)
      })
    }
  }

  async #answer({ spec, asked, rows, context }: Batch): Promise<void> {
    const entries = [...asked.values()]
    const reader = this.#readerOf(context)
    for (let at = 0; at < entries.length; at += KEYS_MAX) {
      const chunk = entries.slice(at, at + KEYS_MAX)
      const query = {
        where: {
          AND: [
            rows.where,
            keysWhere(
              spec,
              chunk.map(({ key }) => key),
            ),
          ],
        },
        select: Object.fromEntries(spec.primaryKey.map((name) => [name, true])),
        take: chunk.length,
      }
      const found = await readAs(reader.pool, context, (reads) => reader.findMany(spec.name, query, reads))
      for (const row of found) {
        const key = keyOf(spec, row)
        const known = key === null ? undefined : asked.get(canonicalText(Object.values(key)) ?? '')
        for (const answer of known?.answers ?? []) answer(true)
      }
    }
    // Whoever was answered already stays so.
    for (const { answers } of entries) for (const answer of answers) answer(false)
  }
}

/** Those of one builder. */
export function createVisibleRows(builder: PothosSchemaTypes.SchemaBuilder<SchemaTypes>): VisibleRows {
  const { feed } = builder.options.rowcast
  return new VisibleRows(
    () => feed.catalog,
    (context) => builderReader(builder, context),
  )
}

function keyOf(model: ModelSpec, row: AnyRow): AnyRow | null {
  const { primaryKey } = model
  if (primaryKey.length === 0 || primaryKey.some((name) => row[name] == null)) return null
  return primaryKeyOf(model, row)
}

function keysWhere({ primaryKey: [only, ...others] }: ModelSpec, keys: readonly AnyRow[]): object {
  if (only === undefined || others.length > 0) return { OR: keys }
  return { [only]: { in: keys.map((key) => key[only]) } }
}
