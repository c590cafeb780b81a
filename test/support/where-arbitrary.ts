/** Random filters in Prisma's shape, over the values that a set of rows has and some that it has not. */
import fc from 'fast-check'
import { domainOf } from '../../src/bus/filter/field-domain.ts'
import { hasUnsafe } from '../../src/bus/filter/json-domain.ts'
import { type Json, jsonKindOf } from '../../src/bus/filter/json-value.ts'
import { LIST_OPERATORS } from '../../src/bus/filter/list-operators.ts'
import {
  JSON_OPERATORS,
  type JsonOperatorRow,
  SCALAR_OPERATORS,
  type ScalarOperator,
  type ScalarOperatorRow,
} from '../../src/bus/filter/operators.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { explainUnrepresentable } from '../../src/catalog/values/unrepresentable-value.ts'

/** A row, and a filter. */
export type AnyObject = Readonly<Record<string, unknown>>

/** `Prisma.DbNull` and its siblings, of the client that is asked. */
export interface JsonNulls {
  readonly DbNull: unknown
  readonly JsonNull: unknown
  readonly AnyNull: unknown
}

/** What filters are made for. */
export interface WhereSubject {
  readonly model: ModelSpec
  readonly catalog: Pick<ModelCatalog, 'enums'>
  readonly rows: readonly AnyObject[]
  readonly jsonNulls: JsonNulls
}

/** Columns with no comparison of their own in PostgreSQL, or none that a row could answer. */
const ONLY_NULL_TESTS = new Set(['Xml', 'Timetz'])
const CASELESS = new Set(['Bit', 'VarBit'])
const FALLBACK: Readonly<Record<string, readonly unknown[]>> = {
  String: ['a', 'A', '', '%', '_'],
  Int: [0, 1, -1, 7],
  BigInt: [0n, 1n, -1n, 2n ** 53n + 1n],
  Float: [0, -0, 0.1, 1],
  Decimal: ['0', '-0.00', '0.1', '10000', '1.50'],
  DateTime: [new Date(0), new Date('2020-01-01T12:34:56.789Z'), '2000-02-29T00:00:00+02:00'],
  Boolean: [true, false],
  Bytes: [new Uint8Array(), new Uint8Array([1, 255])],
  Json: [0, 'a', true, [], {}, [1], { a: 1 }],
}
const FALLBACK_BY_NATIVE_TYPE: Readonly<Record<string, readonly unknown[]>> = {
  Uuid: ['00000000-0000-4000-8000-000000000000', '{AAAAAAAA-0000-4000-8000-00000000000A}'],
  Inet: ['10.0.0.1', '::1', '10.0.0.0/8', '::ffff:10.0.0.1'],
  Bit: ['00000', '10101'],
  VarBit: ['', '0', '101'],
  Oid: [0, 4_294_967_295],
  Real: [0, 0.1, 16_777_216],
}

/** Whether Prisma takes a row's value as a filter's. */
function isOperand(value: unknown): boolean {
  if (value === null || value === undefined || explainUnrepresentable(value) !== null) return false
  if (value instanceof Date) return value.getUTCFullYear() > 0 && value.getUTCFullYear() < 10_000
  // Prisma 7.10 makes null of NaN and Infinity in some places of a filter.
  if (typeof value === 'number' && !Number.isFinite(value)) return false
  // It sends large whole numbers with 16 digits, where a double may need 17.
  if (typeof value === 'number' && Math.abs(value) > 2 ** 53) return Number(value.toPrecision(15)) === value
  const check: unknown = typeof value === 'object' ? Reflect.get(value, 'isFinite') : undefined
  return typeof check !== 'function' || check.call(value) === true
}

/** Prisma 7.10 reads Json numbers again, as operands and in lists, and may be a last digit off. */
function isLongNumber(value: unknown): boolean {
  return /\d{15}|\de[+-]?\d/.test(JSON.stringify(value))
}

function operandsOf({ rows, catalog }: WhereSubject, field: FieldSpec): fc.Arbitrary<unknown> {
  const values = rows.flatMap((row) => (field.isList ? (row[field.name] as unknown[]) : [row[field.name]]))
  const others =
    field.kind === 'enum'
      ? (catalog.enums[field.type]?.values ?? []).map((value) => value.name)
      : (FALLBACK_BY_NATIVE_TYPE[field.nativeType ?? ''] ?? FALLBACK[field.type] ?? [])
  const known = values.filter(
    (value) => isOperand(value) && (field.type !== 'Json' || !(isLongNumber(value) || hasUnsafe(value))),
  )
  const other = fc.constantFrom(...others)
  return known.length === 0 ? other : fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...known) }, other)
}

function optionally(keys: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<AnyObject> {
  const one = Object.entries(keys).map(([key, value]) => value.map((operand) => ({ [key]: operand })))
  // Of no operator at all Prisma makes every row; here it is refused.
  const several = fc.record(keys, { requiredKeys: [] }).filter((filter) => Object.keys(filter).length > 0)
  return fc.oneof({ weight: 6, arbitrary: fc.oneof(...one) }, { weight: 1, arbitrary: several })
}

/** Text as people search for it: pieces of what there is, other cases, wildcards. */
function patternsOf(operand: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const piece = fc
    .tuple(operand, fc.nat(8), fc.nat(4))
    .map(([text, from, length]) => [...String(text)].slice(from, from + length).join(''))
  const wild = fc.array(fc.oneof(piece, fc.constantFrom('%', '_', '\\', 'a')), { maxLength: 3 })
  return fc.oneof(
    piece,
    piece.map((text) => text.toUpperCase()),
    wild.map((parts) => parts.join('')),
  )
}

function endsEscaped(pattern: string): boolean {
  return (/\\*$/.exec(pattern)?.[0].length ?? 0) % 2 === 1
}

function nullOr(field: FieldSpec, operand: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return field.isRequired ? operand : fc.oneof({ weight: 5, arbitrary: operand }, fc.constant(null))
}

/** What an operator of one value is given. */
function operandOf(
  name: ScalarOperator,
  field: FieldSpec,
  operand: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const { needs, operand: shape, toPattern }: ScalarOperatorRow = SCALAR_OPERATORS[name]
  if (toPattern !== undefined) return patternsOf(operand).filter((text) => !endsEscaped(toPattern(text)))
  if (shape === 'values') return nullOr(field, fc.array(operand, { maxLength: 3 }))
  return needs === 'order' ? operand : nullOr(field, operand)
}

function scalarFilter(subject: WhereSubject, field: FieldSpec): fc.Arbitrary<unknown> {
  if (ONLY_NULL_TESTS.has(field.nativeType ?? '')) return nullTests
  const operand = operandsOf(subject, field)
  const named = domainOf(field, subject.catalog)?.operators ?? []
  const operators = Object.fromEntries(
    // `not` nests: withNot has it.
    named.filter((name) => name !== 'not').map((name) => [name, operandOf(name, field, operand)]),
  )
  const isText = named.some((name) => SCALAR_OPERATORS[name].needs === 'pattern')
  const filter = withNot(optionally(operators), nullOr(field, operand))
  const sensitive = fc.oneof(
    { weight: 1, arbitrary: nullOr(field, operand) },
    { weight: 6, arbitrary: filter },
  )
  if (!isText || CASELESS.has(field.nativeType ?? '')) return sensitive
  return fc.oneof({ weight: 2, arbitrary: sensitive }, insensitiveFilter(operators, field, operand))
}

const nullTests: fc.Arbitrary<unknown> = fc.constantFrom(null, { equals: null }, { not: null })

/** `not` with a value, and with filters up to three levels deep. */
function withNot(filter: fc.Arbitrary<AnyObject>, operand: fc.Arbitrary<unknown>): fc.Arbitrary<AnyObject> {
  const not = (inner: fc.Arbitrary<unknown>) => inner.map((value) => ({ not: value }))
  const twice = fc.tuple(filter, operand).map(([inner, value]) => ({ ...inner, not: value }))
  return fc.oneof(
    { weight: 6, arbitrary: filter },
    { weight: 2, arbitrary: not(operand) },
    { weight: 2, arbitrary: not(filter) },
    { weight: 1, arbitrary: not(fc.oneof(not(filter), not(operand), not(not(filter)), twice)) },
  )
}

function insensitiveFilter(
  operators: Readonly<Record<string, fc.Arbitrary<unknown>>>,
  field: FieldSpec,
  operand: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const isIlike = (value: unknown) => typeof value !== 'string' || !endsEscaped(value)
  const turned = nullOr(
    field,
    operand.map((text) => (String(text).length % 2 === 0 ? String(text).toUpperCase() : String(text))),
  ).filter(isIlike)
  const filter = withNot(optionally({ ...operators, equals: turned }), turned)
  return filter.map((inner) => ({ ...inner, mode: 'insensitive' }))
}

function listFilter(subject: WhereSubject, field: FieldSpec): fc.Arbitrary<unknown> {
  const operand = operandsOf(subject, field)
  const lists = subject.rows
    .map((row) => row[field.name])
    .filter((list): list is unknown[] => Array.isArray(list))
  const known = lists.filter(
    (list) => list.every(isOperand) && !(field.type === 'Json' && isLongNumber(list)),
  )
  const list = fc.oneof(fc.array(operand, { maxLength: 3 }), fc.constantFrom([], ...known))
  if (field.nativeType === 'Json') return list.map((equals) => ({ equals }))
  const operands = { value: operand, values: list, boolean: fc.boolean() }
  const one = Object.entries(LIST_OPERATORS)
    // Prisma 7.10 sends lists of Bytes as the text of their base64, and so finds nothing.
    .filter(([, row]) => !(field.type === 'Bytes' && row.operand === 'values'))
    .map(([name, row]) => operands[row.operand].map((given) => ({ [name]: given })))
  return fc.oneof(...one)
}

/** Places and values within a document. */
function placesOf(
  value: Json,
  path: readonly string[] = [],
): readonly (readonly [readonly string[], Json])[] {
  const kind = jsonKindOf(value)
  const inner = kind === 'object' || kind === 'array' ? Object.entries(value as object) : []
  return [[path, value], ...inner.flatMap(([key, member]) => placesOf(member as Json, [...path, key]))]
}

function jsonFilter({ rows, jsonNulls }: WhereSubject, field: FieldSpec): fc.Arbitrary<unknown> {
  const documents = rows.map((row) => row[field.name]).filter((value) => value !== null) as Json[]
  const all = [...(FALLBACK['Json'] as Json[]), ...documents].flatMap((document) => placesOf(document))
  // Prisma's own serialisation of a filter drops this one.
  const places = all.filter(
    ([path, value]) =>
      !`${path}${JSON.stringify(value)}`.includes('__proto__') &&
      !(typeof value === 'number' && isLongNumber(value)) &&
      // Refused: exact-json.pg.test.ts has them.
      !hasUnsafe(value),
  )
  const values = fc.constantFrom(...places.map(([, value]) => value))
  const strings = places.map(([, value]) => value).filter((value) => typeof value === 'string')
  const ordered = values.filter((value) => typeof value === 'string' || typeof value === 'number')
  const pattern = patternsOf(fc.constantFrom('a', '', '"', ...strings))
  const nulls = fc.constantFrom(jsonNulls.DbNull, jsonNulls.JsonNull, jsonNulls.AnyNull)
  const wholeNulls = field.isRequired ? fc.constant(jsonNulls.JsonNull) : fc.constant(jsonNulls.AnyNull)
  const equality = (nullsHere: fc.Arbitrary<unknown>) => {
    const operand = fc.oneof({ weight: 5, arbitrary: values.filter((value) => value !== null) }, nullsHere)
    return { equals: operand, not: operand }
  }
  const others = Object.fromEntries(
    (Object.entries(JSON_OPERATORS) as [string, JsonOperatorRow][])
      // Those of the library that `equality` does not have.
      .filter(([name, row]) => row.operand !== 'null kind' && name !== 'equals' && name !== 'not')
      .map(([name, { toPattern, isInOrder }]) => {
        if (toPattern === undefined) return [name, isInOrder === undefined ? values : ordered]
        return [name, pattern.filter((text) => !endsEscaped(toPattern(text)))]
      }),
  )
  const path = fc.oneof(
    fc.constantFrom(...places.map(([at]) => at)),
    fc.constantFrom([], ['a'], ['0'], ['-1'], [' 1'], ['1x'], ['a', 'b']),
  )
  const whole = optionally({ ...equality(wholeNulls), ...(field.nativeType === 'Json' ? {} : others) })
  const withPath = path.chain((at) =>
    optionally({ ...equality(at.length === 0 ? wholeNulls : nulls), ...others }).map((filter) => ({
      path: at,
      ...filter,
    })),
  )
  const insensitive = fc
    .tuple(path, optionally({ string_contains: pattern, string_starts_with: pattern }))
    .map(([at, filter]) => ({ path: at, mode: 'insensitive', ...filter }))
  return fc
    .oneof(whole, { weight: 2, arbitrary: withPath }, insensitive)
    .filter((filter) => Object.keys(filter).some((key) => key !== 'path' && key !== 'mode'))
}

/** A filter of one field. */
export function fieldFilter(subject: WhereSubject, field: FieldSpec): fc.Arbitrary<AnyObject> {
  const filter = field.isList
    ? listFilter(subject, field)
    : field.type === 'Json' && field.kind === 'scalar'
      ? jsonFilter(subject, field)
      : scalarFilter(subject, field)
  return filter.map((inner) => ({ [field.name]: inner }))
}

/** A filter of a whole model: fields and groups of them. */
export function whereFilter(subject: WhereSubject, fields: readonly FieldSpec[]): fc.Arbitrary<AnyObject> {
  const usable = fields.filter((field) => !(field.isList && ONLY_NULL_TESTS.has(field.nativeType ?? '')))
  const isTestable = (field: FieldSpec) => !ONLY_NULL_TESTS.has(field.nativeType ?? '') || !field.isRequired
  const one = fc.oneof(...usable.filter(isTestable).map((field) => fieldFilter(subject, field)))
  return fc.letrec<{ where: AnyObject; group: AnyObject }>((tie) => ({
    where: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'where' },
      { weight: 6, arbitrary: one },
      { weight: 1, arbitrary: fc.constant({}) },
      { weight: 5, arbitrary: tie('group') },
      { weight: 2, arbitrary: fc.tuple(one, tie('group')).map(([a, b]) => ({ ...a, ...b })) },
    ),
    group: fc.oneof(
      fc.array(tie('where'), { maxLength: 3, depthIdentifier: 'where' }).map((AND) => ({ AND })),
      fc.array(tie('where'), { maxLength: 3, depthIdentifier: 'where' }).map((OR) => ({ OR })),
      fc.array(tie('where'), { maxLength: 2, depthIdentifier: 'where' }).map((NOT) => ({ NOT })),
      tie('where').map((NOT) => ({ NOT })),
      tie('where').map((AND) => ({ AND })),
    ),
  })).where
}
