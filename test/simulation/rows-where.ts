/** What PostgreSQL finds for a query of Prisma Client, as far as worlds ask: conditions with SQL's null, relations, orders. */
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { relationSteps } from '../../src/catalog/relation-path.ts'
import type { Row } from './database.ts'

/** A `where` of Prisma Client. */
export type Where = Readonly<Record<string, unknown>>

/** All rows of a model. */
export type RowsOfModel = (model: string) => readonly Row[]

/** A query of Prisma Client. */
export interface RowsQuery {
  readonly where?: Where | undefined
  readonly orderBy?: readonly Readonly<Record<string, unknown>>[] | undefined
  readonly skip?: number | undefined
  readonly take?: number | undefined
}

/** What is true, false, or null as SQL has it. */
type Truth = boolean | null

/** What conditions are asked of. */
interface Asked {
  readonly catalog: ModelCatalog
  readonly rowsOf: RowsOfModel
}

/** The rows that a query finds. */
export function findRows(asked: Asked, model: string, query: RowsQuery): readonly Row[] {
  const { where = {}, orderBy = [], skip = 0, take } = query
  const spec = asked.catalog.models[model] as ModelSpec
  const found = asked.rowsOf(model).filter((row) => truthOf(asked, spec, where, row) === true)
  const order = orderBy.flatMap((part) => Object.entries(part))
  const sorted = order.length === 0 ? found : [...found].sort((a, b) => compareRows(order, a, b))
  return sorted.slice(skip, take === undefined ? undefined : skip + take)
}

function truthOf(asked: Asked, model: ModelSpec, where: Where, row: Row): Truth {
  const each = (given: unknown): Truth[] =>
    [given].flat().map((part) => truthOf(asked, model, part as Where, row))
  return all(
    Object.entries(where).map(([name, given]) => {
      if (name === 'AND') return all(each(given))
      if (name === 'OR') return any(each(given))
      if (name === 'NOT') return not(any(each(given)))
      const isField = model.fields.some((field) => field.name === name)
      return isField
        ? valueTruth(row[name] ?? null, given)
        : relationTruth(asked, model, { name, given, row })
    }),
  )
}

function relationTruth(
  asked: Asked,
  model: ModelSpec,
  { name, given, row }: { readonly name: string; readonly given: unknown; readonly row: Row },
): Truth {
  const relation = model.relations.find((each) => each.name === name)
  const [step] = relation === undefined ? [] : relationSteps(asked.catalog, model, relation)
  if (step === undefined) throw new Error(`${model.name} has no ${name}.`)
  const [from, to] = [step.from[0] ?? '', step.to[0] ?? '']
  const related = asked.rowsOf(step.model.name).filter((each) => each[to] === row[from])
  if (given === null) return related.length === 0
  const truths = (where: unknown) => related.map((each) => truthOf(asked, step.model, where as Where, each))
  return all(
    Object.entries(given as Where).map(([operator, where]) => {
      if (operator === 'some') return truths(where).includes(true)
      if (operator === 'none') return !truths(where).includes(true)
      if (operator === 'every') return !truths(where).some((truth) => truth === false)
      if (where === null) return (related.length === 0) === (operator === 'is')
      const [only = false] = truths(where)
      if (operator === 'is') return only
      if (operator === 'isNot') return not(only)
      throw new Error(`Nobody knows what ${operator} asks.`)
    }),
  )
}

/** Whether a row meets a condition on its own columns. */
export function isRowOf(where: Where, row: Row): boolean {
  return ownTruth(where, row) === true
}

function ownTruth(where: Where, row: Row): Truth {
  const each = (given: unknown): Truth[] => [given].flat().map((part) => ownTruth(part as Where, row))
  return all(
    Object.entries(where).map(([name, given]) => {
      if (name === 'AND') return all(each(given))
      if (name === 'OR') return any(each(given))
      return name === 'NOT' ? not(any(each(given))) : valueTruth(row[name] ?? null, given)
    }),
  )
}

function valueTruth(value: number | string | null, given: unknown): Truth {
  if (given === null || typeof given !== 'object') return equals(value, given)
  return all(
    Object.entries(given).map(([operator, operand]) => {
      if (operator === 'equals') return equals(value, operand)
      if (operator === 'not') return operand === null ? value !== null : not(equals(value, operand))
      if (operator === 'in') return value === null ? null : (operand as unknown[]).includes(value)
      if (operator === 'notIn') return value === null ? null : !(operand as unknown[]).includes(value)
      if (value === null) return null
      const bound = operand as number | string
      if (operator === 'lt') return value < bound
      if (operator === 'lte') return value <= bound
      if (operator === 'gt') return value > bound
      if (operator === 'gte') return value >= bound
      if (operator === 'contains') return String(value).includes(String(bound))
      throw new Error(`Nobody knows what ${operator} asks.`)
    }),
  )
}

function equals(value: number | string | null, given: unknown): Truth {
  if (given === null) return value === null
  return value === null ? null : value === given
}

function all(truths: readonly Truth[]): Truth {
  return truths.includes(false) ? false : truths.includes(null) ? null : true
}

function any(truths: readonly Truth[]): Truth {
  return truths.includes(true) ? true : truths.includes(null) ? null : false
}

function not(truth: Truth): Truth {
  return truth === null ? null : !truth
}

/** Text by its code units: worlds have a database of collation C. */
function compareRows(order: readonly (readonly [string, unknown])[], a: Row, b: Row): number {
  for (const [name, given] of order) {
    const { sort, nulls } = typeof given === 'string' ? { sort: given, nulls: undefined } : Object(given)
    const [left, right] = [a[name] ?? null, b[name] ?? null]
    if (left === right) continue
    const isFirst = (nulls ?? (sort === 'asc' ? 'last' : 'first')) === 'first'
    if (left === null || right === null) return (left === null) === isFirst ? -1 : 1
    return left < right === (sort === 'asc') ? -1 : 1
  }
  return 0
}

/** Between two lists of rows; null where they are the same. */
export function differenceOf(has: readonly Row[], wanted: readonly Row[]): string | null {
  const [own, other] = [has, wanted].map((rows) =>
    rows.map(({ id, n, name }) => `${id}:${n}:${name}`).join(' '),
  )
  return own === other ? null : `has [${own}] and not [${other}]`
}
