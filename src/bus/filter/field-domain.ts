/** Stage 6, bus. Which fields' values are compared how. */
import type { FieldSpec, ModelCatalog } from '../../catalog/model-catalog.ts'
import { hidesDigits } from '../../catalog/time-digits.ts'
import { MONEY_SCALE_DEFAULT } from '../../catalog/values/decimal-codecs.ts'
import type { NativeTypeName } from '../../catalog/values/type-table.ts'
import { explainUnrepresentable } from '../../catalog/values/unrepresentable-value.ts'
import { DATE_TIME_DOMAINS } from './date-time-domains.ts'
import { createMoneyDomain, NUMBER_DOMAINS } from './number-domains.ts'
import { EQUALITY } from './operators.ts'
import { TEXT_DOMAINS } from './text-domains.ts'
import type { ValueDomain } from './value-domain.ts'

const BOOLEAN_DOMAIN: ValueDomain<boolean> = {
  name: 'boolean',
  operators: ['equals', 'not'],
  wanted: 'true or false',
  parse: (input) => (typeof input === 'boolean' ? input : undefined),
  normalize: (value) => (typeof value === 'boolean' ? value : undefined),
  keyOf: (normal) => normal,
  compare: (a, b) => Number(a) - Number(b),
}

const BYTES_DOMAIN: ValueDomain<string> = {
  name: 'bytes',
  isCostly: true,
  operators: EQUALITY,
  wanted: 'bytes (a Uint8Array; in GraphQL base64)',
  parse: hexOf,
  normalize: hexOf,
  keyOf: (normal) => normal,
  compare: (a, b) => (a < b ? -1 : Number(a > b)),
}

function hexOf(value: unknown): string | undefined {
  if (!(value instanceof Uint8Array)) return undefined
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
}

/** No enum value begins with it. */
const UNKNOWN_LABEL_MARK = '\0'

function enumDomain(names: readonly string[]): ValueDomain<string> {
  const known = new Set(names)
  return {
    name: 'enum',
    operators: EQUALITY,
    wanted: `one of ${names.join(', ')}`,
    parse: (input) => (typeof input === 'string' && known.has(input) ? input : undefined),
    normalize(value) {
      if (typeof value === 'string') return value
      const explained = explainUnrepresentable(value)
      // A label that the Prisma schema does not list is another value than all that it lists.
      return explained?.reason === 'unknown-label' ? UNKNOWN_LABEL_MARK + String(explained.value) : undefined
    },
    keyOf: (normal) => normal,
    compare: (a, b) => (a < b ? -1 : Number(a > b)),
  }
}

type DomainCatalog = Pick<ModelCatalog, 'enums' | '~moneyScale' | '~timeDigits'>

/** As the others of its scalar. */
const AS_SCALAR = null

/**
 * How values of each column type are compared: in a way of its own, as those of its scalar, or not at all, and why: PostgreSQL
 * cannot, or rows do not hold what it compares.
 */
const BY_NATIVE_TYPE = {
  ...{ Text: AS_SCALAR, VarChar: AS_SCALAR },
  ...{ Integer: AS_SCALAR, SmallInt: AS_SCALAR, Oid: AS_SCALAR, BigInt: AS_SCALAR },
  ...{ DoublePrecision: AS_SCALAR, Decimal: AS_SCALAR, Boolean: AS_SCALAR, ByteA: AS_SCALAR },
  ...{ Timestamp: AS_SCALAR, Timestamptz: AS_SCALAR, JsonB: AS_SCALAR, Json: AS_SCALAR },
  ...TEXT_DOMAINS.byNativeType,
  ...NUMBER_DOMAINS.byNativeType,
  ...DATE_TIME_DOMAINS.byNativeType,
  Money: (catalog: DomainCatalog) => createMoneyDomain(catalog['~moneyScale'] ?? (() => MONEY_SCALE_DEFAULT)),
  Xml: 'PostgreSQL has no equality for xml',
  Timetz: 'PostgreSQL compares the offset of a timetz too, which a row does not carry',
} satisfies Readonly<Record<NativeTypeName, unknown>>

const BY_TYPE: Readonly<Record<string, ValueDomain>> = {
  Boolean: BOOLEAN_DOMAIN,
  Bytes: BYTES_DOMAIN,
  String: TEXT_DOMAINS.text,
  ...NUMBER_DOMAINS.byType,
  DateTime: DATE_TIME_DOMAINS.timestamp,
} as Readonly<Record<string, ValueDomain>>

/** Why values of the field cannot be compared at all; null where they can. */
export function whyIncomparable(field: FieldSpec): string | null {
  const row = rowOf(field)
  return typeof row === 'string' ? row : null
}

function rowOf({ nativeType }: FieldSpec) {
  return nativeType !== null && nativeType in BY_NATIVE_TYPE
    ? BY_NATIVE_TYPE[nativeType as NativeTypeName]
    : AS_SCALAR
}

/** How values (or a list's elements) of the field are compared; null for Json, and where they cannot be. */
export function domainOf(field: FieldSpec, catalog: DomainCatalog): ValueDomain | null {
  if (field.kind === 'enum') {
    const names = catalog.enums[field.type]?.values.map((value) => value.name) ?? []
    return enumDomain(names) as ValueDomain
  }
  const row = rowOf(field)
  if (typeof row === 'string') return null
  if (typeof row === 'function') return row(catalog) as ValueDomain
  const domain = (row as ValueDomain | null) ?? BY_TYPE[field.type] ?? null
  return domain !== null && hidesDigits(field, catalog['~timeDigits'])
    ? { ...domain, mayDiffer: 'all' }
    : domain
}
