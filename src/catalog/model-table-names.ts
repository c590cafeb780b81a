/** Stage 3, catalog. Which tables hold the rows of which model: its own by name, and those that inherit from it. */
import type { RelationMessage } from '../pgoutput/messages.ts'
import type { ModelSpec } from './model-catalog.ts'
import { qualify } from './relation-shape.ts'

/** A table that rows of a model come from, as the database has it. */
export interface ModelTable {
  readonly model: string
  readonly schema: string
  /** The model's own table, or one that inherits from it. */
  readonly table: string
  /** Columns that the publication leaves out: generated ones, and those beside a column list. */
  readonly unpublishedColumns: readonly string[]
}

type TableName = Pick<RelationMessage, 'schema' | 'table'>

/** The tables of all models. */
export class ModelTables {
  readonly defaultSchema: string
  readonly #own = new Map<string, ModelSpec>()
  readonly #byName = new Map<string, ModelSpec>()
  /** Tables that inherit from a model's: their rows are the model's rows too. */
  #children: ReadonlyMap<string, ModelSpec> = new Map()
  #unpublished: ReadonlyMap<string, ReadonlySet<string>> = new Map()

  constructor(models: Iterable<ModelSpec>, defaultSchema: string) {
    this.defaultSchema = defaultSchema
    for (const model of models) {
      this.#own.set(this.#tableOf(model), model)
      this.#byName.set(model.name, model)
    }
  }

  /** Takes what the database's catalog says. */
  expect(tables: readonly ModelTable[]): void {
    const named = tables.map((each) => [nameOf(each), each] as const)
    this.#children = new Map(
      named.flatMap(([name, { model }]) => {
        const spec = this.#own.has(name) ? undefined : this.#byName.get(model)
        return spec === undefined ? [] : [[name, spec]]
      }),
    )
    this.#unpublished = new Map(named.map(([name, each]) => [name, new Set(each.unpublishedColumns)]))
  }

  /** Null for a table that no model stands on. */
  modelOf(table: TableName): ModelSpec | null {
    const name = nameOf(table)
    return this.#own.get(name) ?? this.#children.get(name) ?? null
  }

  isOwn(table: TableName): boolean {
    return this.#own.has(nameOf(table))
  }

  isChild(table: TableName): boolean {
    return this.#children.has(nameOf(table))
  }

  unpublishedOf(table: TableName): ReadonlySet<string> | undefined {
    return this.#unpublished.get(nameOf(table))
  }

  /** Whether all tables of a model that others inherit from are among them; true of one that none inherits from. */
  areAllOf(model: string, tables: readonly TableName[]): boolean {
    const children = [...this.#children].flatMap(([name, spec]) => (spec.name === model ? [name] : []))
    if (children.length === 0) return true
    const given = new Set(tables.map(nameOf))
    const spec = this.#byName.get(model)
    const own = spec === undefined ? [] : [this.#tableOf(spec)]
    return [...own, ...children].every((name) => given.has(name))
  }

  #tableOf({ schema, table }: ModelSpec): string {
    return qualify(schema ?? this.defaultSchema, table)
  }
}

const nameOf = ({ schema, table }: TableName): string => qualify(schema, table)
