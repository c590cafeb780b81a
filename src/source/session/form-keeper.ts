/** Stage 5, source. Which form the streams of a source ask for: as fast as PostgreSQL can send it and somebody can read it. */
import { RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { quoteQualified } from '../../wire/quote.ts'
import { sqlstateOf } from '../db/sqlstate.ts'
import type { TableName } from '../facts/table-name.ts'
import type { FoundTable } from '../setup/model-tables.ts'
import { nextForm, type StreamForm } from './replication-form.ts'

/** What it goes by. */
export interface FormKeeperOptions {
  readonly isBinary: boolean
  readonly goal: { readonly tables: readonly TableName[] }
  readonly logger: Pick<Logger, 'info' | 'warn'>
}

/** One per source. */
export class FormKeeper {
  readonly #options: FormKeeperOptions
  /** What PostgreSQL can send. */
  #form: StreamForm
  /** Whether the running stream, or the one before, is in text form for columns that can be read in no other. */
  #isForColumns = false
  #changed: RowcastError | null = null

  constructor(options: FormKeeperOptions) {
    this.#options = options
    this.#form = { isBinary: options.isBinary, isRaw: false }
  }

  /** The form of a stream that begins. */
  begin(tables: readonly FoundTable[]): StreamForm {
    this.#changed = null
    const opaque = this.#findOpaque(tables)
    if (opaque !== null && this.#form.isBinary && !this.#isForColumns) {
      const words =
        'A column has a type whose binary form is not known; the stream brings all values as text.'
      this.#options.logger.info(words, opaque)
    }
    this.#isForColumns = opaque !== null
    return { ...this.#form, isBinary: this.#form.isBinary && opaque === null }
  }

  /** What ends a stream whose tables have come to have such a column; `adapt` knows it again. */
  judge(tables: readonly FoundTable[]): RowcastError | null {
    const opaque = this.#form.isBinary && !this.#isForColumns ? this.#findOpaque(tables) : null
    if (opaque === null) return null
    const happened = `The type of ${opaque.table}, column "${opaque.column}", has changed to one whose binary form is not known.`
    this.#changed = new RowcastError('SOURCE_TABLE_CHANGED', happened)
    return this.#changed
  }

  /** After an error of the running stream: whether it can go on at once in another form. */
  adapt(error: RowcastError, table: string | null): boolean {
    if (error === this.#changed) return true
    const next = nextForm(this.#form, error)
    if (next === null) return false
    this.#form = next
    const words = 'PostgreSQL cannot send a value in the form asked for; the stream goes on in another one.'
    this.#options.logger.warn(words, { sqlstate: sqlstateOf(error), table, ...next })
    return true
  }

  /** A column that a field shows as text, whatever its type. */
  #findOpaque(tables: readonly FoundTable[]): { readonly table: string; readonly column: string } | null {
    for (const { model, schema, table, isPublished, opaqueColumns = [] } of tables) {
      const shown = this.#options.goal.tables.find((each) => each.model === model)?.textColumns
      const column = isPublished ? opaqueColumns.find((name) => shown?.includes(name)) : undefined
      if (column !== undefined) return { table: quoteQualified(schema, table), column }
    }
    return null
  }
}
