/**
 * Stage 5, source. A table's columns as evidence: ALTER TABLE can give every row another value, and PostgreSQL says nothing of
 * it. A column is dropped and made again, two change their names, or the table is written again with another type. Pure.
 * Source: PostgreSQL manual, "pg_attribute".
 */
import { hasMembers } from '../../member-of.ts'

/**
 * A column by the catalog; the writer is the transaction that wrote its row there, 0 while it has a value for rows of before it.
 * Labels: the same of each label of its enum, the oldest first.
 */
export type RawColumn = readonly [
  number: number,
  name: string,
  writer: number,
  labels?: readonly number[] | null,
]

/** Rows of the catalog with the transaction that wrote them, in their order. */
type Runs = readonly (readonly [writer: number, count: number])[]

/** The columns that a model reads, in few bytes: a barrier has those of all tables. */
export interface TableColumns {
  /** Of each column, from number 1 on, `NAME_LENGTH` digits of a hash of its name; `NONE` where it is dropped, or no field's. */
  readonly names: string
  /** Runs of columns: the transaction that wrote their rows of the catalog, and how many they are. */
  readonly written: Runs
  /** Of columns that are enums, by number: runs of labels. RENAME VALUE writes one again, ADD VALUE writes more. @default none */
  readonly labels?: readonly (readonly [column: number, labels: Runs])[] | undefined
}

const NAME_LENGTH = 8
const NONE = '-'.repeat(NAME_LENGTH)

/** What a barrier says of them. @param ofModel columns of the model's fields; undefined: all are watched */
export function columnsOf(raw: readonly RawColumn[], ofModel?: readonly string[]): TableColumns {
  const watched = ofModel === undefined ? null : new Set(ofModel)
  const names: string[] = []
  const written: [number, number][] = []
  const labels: [number, Runs][] = []
  for (const [number, name, writer, labelWriters] of raw) {
    if (watched?.has(name) === false) continue
    const gap = number - 1 - names.length
    if (gap > 0) written.push([0, gap])
    names.push(...Array.from({ length: gap }, () => NONE), hashOf(name))
    addToRuns(written, writer)
    if (labelWriters == null) continue
    const runs: [number, number][] = []
    for (const each of labelWriters) addToRuns(runs, each)
    labels.push([number, runs])
  }
  return { names: names.join(''), written, ...(labels.length === 0 ? {} : { labels }) }
}

function addToRuns(runs: [number, number][], writer: number): void {
  const last = runs.at(-1)
  if (last?.[0] === writer) last[1] += 1
  else runs.push([writer, 1])
}

/**
 * FNV-1a. Of two columns of one table whose names have one hash it is not seen that they changed their names; and a column
 * that goes where another of its hash comes ends subscriptions for nothing. Of 16 bits, `c32` and `c316` have the same.
 */
function hashOf(name: string): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(NAME_LENGTH, '0')
}

/**
 * Whether each column that is there before and now has the values that it had, as far as ALTER TABLE goes. `isRewritten`: ALTER
 * TABLE may have written the table again. What was not looked at is taken for the same.
 */
export function areSameColumns(
  before: TableColumns | undefined,
  now: TableColumns | undefined,
  isRewritten: boolean,
): boolean {
  if (before === undefined || now === undefined || !isOfThisForm(before) || !isOfThisForm(now)) return true
  const [namesBefore, namesNow] = [namesOf(before), namesOf(now)]
  const known = new Set(namesBefore)
  const isMoved = namesNow.some((name, at) => name !== NONE && name !== namesBefore[at] && known.has(name))
  const areRenamed = (before.labels ?? []).some(([number, labels]) => {
    const labelsNow = now.labels?.find(([each]) => each === number)?.[1]
    const isSameColumn = namesBefore[number - 1] === namesNow[number - 1]
    return isSameColumn && labelsNow !== undefined && !beginsWith(labelsNow, labels)
  })
  if (areRenamed) return false
  if (isMoved || !isRewritten) return !isMoved
  const [writersBefore, writersNow] = [writersOf(before), writersOf(now)]
  return namesBefore.every((name, at) => {
    const [was, is] = [writersBefore[at] ?? 0, writersNow[at] ?? 0]
    return name === NONE || name !== namesNow[at] || is === 0 || was === is
  })
}

/**
 * What is known of the columns once nothing is missing: as they are now, and those that are gone as they were. One of their names that comes
 * back is another one then, however many looks there were in between.
 */
export function followColumns(
  before: TableColumns | undefined,
  now: TableColumns | undefined,
): TableColumns | undefined {
  if (before === undefined || now === undefined || !isOfThisForm(before) || !isOfThisForm(now)) return now
  const [namesBefore, namesNow] = [namesOf(before), namesOf(now)]
  const [writersBefore, writersNow] = [writersOf(before), writersOf(now)]
  const present = new Set(namesNow)
  const names: string[] = []
  const written: [number, number][] = []
  for (let at = 0; at < Math.max(namesBefore.length, namesNow.length); at += 1) {
    const [was, is] = [namesBefore[at] ?? NONE, namesNow[at] ?? NONE]
    const isGone = is === NONE && was !== NONE && !present.has(was)
    names.push(isGone ? was : is)
    addToRuns(written, (isGone ? writersBefore : writersNow)[at] ?? 0)
  }
  return { ...now, names: names.join(''), written }
}

/** Whether all rows of before are there as they were, and others at most behind them. */
function beginsWith(now: Runs, before: Runs): boolean {
  return before.every(([writer, count], index) => {
    const [writerNow, countNow] = now[index] ?? [0, 0]
    const isLast = index === before.length - 1
    return writer === writerNow && (isLast ? count <= countNow : count === countNow)
  })
}

/** Whether its names have as many digits as ours: an older process wrote four of each. */
function isOfThisForm({ names, written }: TableColumns): boolean {
  return names.length === NAME_LENGTH * written.reduce((sum, [, count]) => sum + count, 0)
}

function namesOf({ names }: TableColumns): readonly string[] {
  return Array.from({ length: Math.ceil(names.length / NAME_LENGTH) }, (_, at) =>
    names.slice(at * NAME_LENGTH, (at + 1) * NAME_LENGTH),
  )
}

/** PostgreSQL has no more columns in a table: MaxHeapAttributeNumber. */
const COLUMNS_MAX = 1_600

function writersOf({ written }: TableColumns): readonly number[] {
  return written.flatMap(([writer, count]) =>
    Array.from({ length: Math.min(count, COLUMNS_MAX) }, () => writer),
  )
}

/** Whether it is what `JSON.stringify` made of columns. */
export function isTableColumns(value: unknown): value is TableColumns {
  if (!hasMembers(value)) return false
  const columns: Partial<Record<keyof TableColumns, unknown>> = value
  const { names, written, labels = [] } = columns
  return (
    typeof names === 'string' &&
    areRuns(written) &&
    written.length <= COLUMNS_MAX &&
    Array.isArray(labels) &&
    labels.length <= COLUMNS_MAX &&
    labels.every(isLabels)
  )
}

function isLabels(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && Number.isSafeInteger(value[0]) && areRuns(value[1])
}

function areRuns(value: unknown): value is Runs {
  return Array.isArray(value) && value.every(isRun)
}

function isRun(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((each) => Number.isSafeInteger(each) && each >= 0)
  )
}
