/**
 * An option as one row: its check, its variable, and what the documentation says of it. The words of the checks are here,
 * over valibot; the rows stand beside the types that describe them, and `OptionRows` holds them to these.
 */
import {
  boolean,
  check,
  custom,
  type GenericSchema,
  getDotPath,
  type InferInput,
  lazy,
  number,
  object,
  optional,
  picklist,
  pipe,
  safeParse,
} from 'valibot'
import { type ErrorCode, isRowcastError, RowcastError } from './errors.ts'
import { nearestName } from './nearest-name.ts'

/** What TypeScript and valibot say of a value. */
export type ValueCheck<Value> = GenericSchema<Value, unknown>

/** One option. */
export interface Option<Checked extends ValueCheck<unknown> = ValueCheck<unknown>> {
  readonly check: Checked
  /** What else has to hold of a value that passed; throws a fault of its own. */
  verify?(value: InferInput<Checked>): unknown
  /** As the documentation shows it, in Markdown. */
  readonly byDefault: string
  /** For its line in docs/configuration.md, in Markdown. */
  readonly meaning: string
  /** The variable that counts before the file. */
  readonly env?: string
  /** What the variable makes of the file's value. @default it takes its place */
  readonly withEnv?: (text: string, given: unknown) => unknown
  /** Whether the environment alone says it, and the file cannot. */
  readonly isOfEnvironment?: true
  /** @default 'CONFIG_BAD_FIELD' */
  readonly code?: ErrorCode
  /** What to write instead; the error table's where there is none. */
  readonly hint?: string
}

/** A row for each field of a type, whose check takes nothing that the type refuses. */
export type OptionRows<Options> = {
  readonly [Name in keyof Options]-?: Option<ValueCheck<Options[Name]>>
}

/** Fields of a type that the checks of their rows would refuse: there must be none. */
export type RefusedBy<Rows extends OptionRows<Options>, Options> = {
  [Name in keyof Options]-?: Options[Name] extends InferInput<Rows[Name]['check']> ? never : Name
}[keyof Options]

/** Refuses what is not never: where a type may only be empty. */
export type Nothing<Empty extends never> = Empty

/** Values that have passed the checks of their rows; undefined where they have not. */
export type CheckedValues<Rows extends Readonly<Record<string, Option>>> = {
  readonly [Name in keyof Rows]: InferInput<Rows[Name]['check']> | undefined
}

/** Keeps the type of a row. */
export function option<Checked extends ValueCheck<unknown>>(row: Option<Checked>): Option<Checked> {
  return row
}

/**
 * Checks a value.
 * @param where the option as messages name it: `slot`, `models.User.live`
 * @returns undefined where it is at fault; every fault is reported, with its path
 */
export function checkOption<Checked extends ValueCheck<unknown>>(
  row: Option<Checked>,
  value: unknown,
  where: string,
  onFault: (fault: RowcastError) => void,
): InferInput<Checked> | undefined {
  const { check: schema, code = 'CONFIG_BAD_FIELD', hint } = row
  reportUnknownFields(schema, value, where, onFault)
  const { success, issues } = safeParse(schema, value)
  for (const issue of issues ?? []) {
    const inside = getDotPath(issue)
    const path = inside === null ? where : `${where}.${inside}`
    // A message that is a whole sentence begins as one.
    const happened = /^[A-Z`]/.test(issue.message) ? issue.message : `\`${path}\` ${issue.message}.`
    onFault(new RowcastError(code, happened, { hint }))
  }
  if (!success) return undefined
  try {
    row.verify?.(value as InferInput<Checked>)
  } catch (error) {
    if (!isRowcastError(error)) throw error
    onFault(error)
    return undefined
  }
  // As it is: a function of an object may use `this`.
  return value as InferInput<Checked>
}

/** Reports each name that is not among the known. @param where what has the names, as messages name it */
export function reportUnknownNames(
  fields: object,
  known: readonly string[],
  where: string,
  onFault: (fault: RowcastError) => void,
): void {
  for (const name of Object.keys(fields).filter((key) => !known.includes(key))) {
    const nearest = nearestName(name, known)
    const hint = nearest === null ? `Known are ${known.join(', ')}.` : `Did you mean "${nearest}"?`
    onFault(new RowcastError('CONFIG_BAD_FIELD', `${where} has an unknown field "${name}".`, { hint }))
  }
}

/** valibot reports one unknown field of an object, and knows no name near to it. */
function reportUnknownFields(
  schema: ValueCheck<unknown>,
  value: unknown,
  where: string,
  onFault: (fault: RowcastError) => void,
): void {
  const entries = entriesOf(schema, value)
  if (entries === null || typeof value !== 'object' || value === null) return
  reportUnknownNames(value, Object.keys(entries), `\`${where}\``, onFault)
  for (const [name, inner] of Object.entries(entries))
    reportUnknownFields(inner, Reflect.get(value, name), `${where}.${name}`, onFault)
}

/** What an object is checked with, also where it need not be there or may be something else; null for what is no object. */
function entriesOf(schema: object, value: unknown): Readonly<Record<string, ValueCheck<unknown>>> | null {
  if ('entries' in schema) return schema.entries as Readonly<Record<string, ValueCheck<unknown>>>
  if ('wrapped' in schema) return entriesOf(Object(schema.wrapped), value)
  if ('getter' in schema && typeof schema.getter === 'function')
    return entriesOf(Object(schema.getter(value)), value)
  return null
}

/** Checks the values of all rows, in their order. */
export function checkOptions<Rows extends Readonly<Record<string, Option>>>(
  rows: Rows,
  sayingOf: (name: string, row: Option) => unknown,
  onFault: (fault: RowcastError) => void,
): CheckedValues<Rows> {
  const checked = Object.entries(rows).map(([name, row]) => [
    name,
    checkOption(row, sayingOf(name, row), name, onFault),
  ])
  return Object.fromEntries(checked) as CheckedValues<Rows>
}

/** The first fault is thrown. */
export function throwFault(fault: RowcastError): never {
  throw fault
}

/** An option that need not be there. */
export const maybe = <Checked extends ValueCheck<unknown>>(checked: Checked) => optional(checked)

export const isFlag = boolean('is neither true nor false')
/** 0 or more. */
export const isAmount = pipe(
  number('is not a number from 0 on'),
  check((value) => value >= 0 && Number.isFinite(value), 'is not a number from 0 on'),
)
/** Bytes, lengths: as many as anybody wants, but some. */
export const isPositiveCount = pipe(
  number('is not a whole number above 0'),
  check((value) => Number.isInteger(value) && value > 0, 'is not a whole number above 0'),
)
export const isPositive = pipe(
  number('is not a number above 0'),
  check((value) => value > 0, 'is not a number above 0'),
)

/** The longest interval a timer keeps, and more than anybody needs of anything else. */
export const COUNT_MAX = 2_147_483_647

/** Whole numbers, both ends included. */
export function isCount(min: number, max: number = COUNT_MAX) {
  return is<number>((value) => isWithin(value, min, max), `is not a whole number from ${min} to ${max}`)
}

/** The same; also as the text that a variable is. */
export function isCountOrText(min: number, max: number = COUNT_MAX, wrong?: (value: unknown) => string) {
  const isOne = (value: unknown): boolean =>
    isWithin(typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value, min, max)
  return is<number>(isOne, wrong ?? `is not a whole number from ${min} to ${max}`)
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
}

/** One of some words. */
export function isOneOf<const Words extends readonly string[]>(words: Words, wrong?: string) {
  const quoted = words.map((word) => `'${word}'`)
  return picklist(words, wrong ?? `is neither ${quoted.join(' nor ')}`)
}

/** A function; what calls it is held to its type by TypeScript alone. */
export function isFunction<Type>(wrong = 'is not a function') {
  return custom<Type>((value) => typeof value === 'function', wrong)
}

/** Whatever the test says is one. */
export function is<Type>(test: (value: unknown) => boolean, wrong: string | ((value: unknown) => string)) {
  return custom<Type>(test, typeof wrong === 'string' ? wrong : ({ input }) => wrong(input))
}

/** An object of options; each of its faults is reported. */
export function isObject<const Entries extends Readonly<Record<string, ValueCheck<unknown>>>>(
  entries: Entries,
  wrong: string,
) {
  return object(entries, wrong)
}

/** An object of options, or something else in their place: the faults are those of the one that was meant. */
export function isEither<Entries extends ValueCheck<unknown>, Other extends ValueCheck<unknown>>(
  ofObject: Entries,
  other: Other,
) {
  return lazy<Entries | Other>((value) => (typeof value === 'object' && value !== null ? ofObject : other))
}
