/** Random values of every native type, as the text that SQL takes: what people store, and what trips decoders. */
import fc from 'fast-check'
import type { FieldSpec, ModelCatalog } from '../../src/catalog/model-catalog.ts'

const characters = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 30 }) },
  fc.constantFrom(
    '',
    'NULL',
    'null',
    ' ',
    '{}',
    '{a,b}',
    '"',
    '\\',
    "'",
    ',',
    'a\nb',
    '🦀',
    '\u{10ffff}',
    'ÀÉ',
    '\t',
  ),
)
/** PostgreSQL's text holds no zero character. */
const text = characters.map((value) => value.replaceAll('\0', '0'))

function textUpTo(length: number): fc.Arbitrary<string> {
  return text.map((value) => [...value].slice(0, length).join(''))
}

function bits(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom('0', '1'), { minLength, maxLength }).map((values) => values.join(''))
}

function integer(minimum: bigint, maximum: bigint): fc.Arbitrary<string> {
  return fc
    .oneof(
      fc.bigInt({ min: minimum, max: maximum }),
      fc.bigInt({ min: minimum < -1000n ? -1000n : minimum, max: 1000n }),
      fc.constantFrom(minimum, maximum, 0n, 1n),
    )
    .map(String)
}

function decimal(wholeMax: number, scaleMax: number): fc.Arbitrary<string> {
  const digits = (maxLength: number) =>
    fc.array(fc.integer({ min: 0, max: 9 }), { maxLength }).map((list) => list.join(''))
  return fc
    .tuple(fc.constantFrom('', '-'), digits(wholeMax), digits(scaleMax))
    .map(([sign, whole, fraction]) => `${sign}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`)
}

const specialFloats = ['NaN', 'Infinity', '-Infinity', '0', '-0']
const float8 = fc.oneof(
  fc.double().map((value) => (Object.is(value, -0) ? '-0' : String(value))),
  fc.constantFrom(...specialFloats, '5e-324', '1.7976931348623157e308', '0.1'),
)
const float4 = fc.oneof(
  fc.float().map((value) => (Object.is(value, -0) ? '-0' : String(value))),
  fc.integer({ min: -126, max: 127 }).map((power) => String(2 ** power)),
  decimal(4, 3),
  fc.constantFrom(...specialFloats, '1e-45', '1.17549435e-38', '3.4028235e38', '0.1', '16777216'),
)
const numeric = fc.oneof(
  decimal(12, 8),
  decimal(40, 40),
  decimal(1000, 0),
  decimal(0, 1000),
  fc.tuple(decimal(3, 3), fc.integer({ min: -200, max: 200 })).map(([digits, power]) => `${digits}e${power}`),
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '0.000', '1.00', '10000', '10000000', '1e-7'),
)

const two = (value: number): string => String(value).padStart(2, '0')
const micros = fc.integer({ min: 0, max: 999_999 }).map((value) => `.${String(value).padStart(6, '0')}`)
const clock = fc
  .tuple(
    fc.integer({ min: 0, max: 23 }),
    fc.integer({ min: 0, max: 59 }),
    fc.integer({ min: 0, max: 59 }),
    micros,
  )
  .map(([hours, minutes, seconds, fraction]) => `${two(hours)}:${two(minutes)}:${two(seconds)}${fraction}`)
const day = fc
  .oneof(
    fc.integer({ min: 1900, max: 2100 }),
    fc.integer({ min: 1, max: 9999 }),
    fc.integer({ min: 10_000, max: 200_000 }),
  )
  .chain((year) =>
    fc
      .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
      .map(([month, date]) => `${String(year).padStart(4, '0')}-${two(month)}-${two(date)}`),
  )
const edgeDays = [
  'infinity',
  '-infinity',
  '0044-03-15 BC',
  '0001-01-01',
  '9999-12-31',
  '1969-12-31',
  '2000-02-29',
]
const date = fc.oneof(
  { weight: 4, arbitrary: day },
  fc.constantFrom(...edgeDays, '5874897-12-31', '4714-11-24 BC'),
)
const timestamp = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(day, clock).map(([on, at]) => `${on} ${at}`) },
  fc.constantFrom(
    ...edgeDays,
    '9999-12-31 23:59:59.999',
    '1969-12-31 23:59:59.999999',
    '294276-12-31 23:59:59.999',
  ),
)
const time = fc.oneof({ weight: 4, arbitrary: clock }, fc.constantFrom('24:00:00', '00:00:00'))
const timetz = fc
  .tuple(time, fc.constantFrom('+00', '+02', '-05:30', '+14', '+02:30:15', '-15:59:59'))
  .map(([at, zone]) => `${at}${zone}`)

const json = fc.oneof(
  { weight: 4, arbitrary: fc.json() },
  fc.constantFrom(
    'null',
    '0',
    '-0',
    '1.0',
    '1e400',
    '12345678901234567890',
    '"x"',
    ' [1, {"b":1,"a":2}] ',
    '{"__proto__":{"a":1}}',
  ),
)
/** jsonb refuses the zero character and halves of surrogate pairs. */
const jsonb = json.filter((value) => !/\\u0000|\\ud[89a-f]/i.test(value))
const xml = text.map((value) => `<a b="1">${value.replace(/[^\w ]/g, '')}</a>`)

const octet = fc.integer({ min: 0, max: 255 })
const word = fc.oneof(fc.constant(0), fc.constantFrom(1, 0xffff), fc.integer({ min: 0, max: 0xffff }))
const ipv4 = fc.tuple(octet, octet, octet, octet).map((bytes) => bytes.join('.'))
const ipv6 = fc
  .array(word, { minLength: 8, maxLength: 8 })
  .map((words) => words.map((value) => value.toString(16)).join(':'))
const inet = fc.oneof(
  ipv4,
  ipv6,
  fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([address, size]) => `${address}/${size}`),
  fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([address, size]) => `${address}/${size}`),
  ipv4.map((address) => `::ffff:${address}`),
  ipv4.map((address) => `::${address}`),
  fc.constantFrom('::', '::1', '::2', '1::', '0.0.0.0/0', '::ffff:0:0'),
)

const BY_SCALAR: Readonly<Record<string, fc.Arbitrary<string>>> = {
  String: text,
  Int: integer(-(2n ** 31n), 2n ** 31n - 1n),
  BigInt: integer(-(2n ** 63n), 2n ** 63n - 1n),
  Float: float8,
  Decimal: numeric,
  DateTime: timestamp,
  Json: jsonb,
  Bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  Boolean: fc.constantFrom('true', 'false'),
}

const BY_NATIVE_TYPE: Readonly<Record<string, fc.Arbitrary<string>>> = {
  VarChar: textUpTo(40),
  Char: textUpTo(7),
  Uuid: fc.uuid(),
  Inet: inet,
  Bit: bits(5, 5),
  VarBit: bits(0, 70),
  Xml: xml,
  SmallInt: integer(-(2n ** 15n), 2n ** 15n - 1n),
  Oid: integer(0n, 2n ** 32n - 1n),
  Real: float4,
  Money: integer(-(2n ** 63n), 2n ** 63n - 1n).map((cents) => {
    const digits = cents.replace('-', '').padStart(3, '0')
    return `${cents.startsWith('-') ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
  }),
  Date: date,
  Time: time,
  Timetz: timetz,
  Json: json,
}

/** `numeric(12, 2)` and the like: the catalog does not say the precision, so they stay small. */
const SCALED = decimal(3, 4)

/** Quotes every element, as array_in takes them. */
function formatArray(elements: readonly string[]): string {
  const quoted = elements.map((element) => `"${element.replace(/(["\\])/g, '\\$1')}"`)
  return `{${quoted.join(',')}}`
}

/** A random value of a field, in the text form of its column. */
export function columnText(
  field: FieldSpec,
  catalog: Pick<ModelCatalog, 'enums'>,
): fc.Arbitrary<string | null> {
  const element = elementText(field, catalog)
  if (field.isList) {
    const list = fc.array(element, { maxLength: 5 }).map(formatArray)
    return fc.oneof({ weight: 9, arbitrary: list }, fc.constant(null))
  }
  return field.isRequired ? element : fc.oneof({ weight: 6, arbitrary: element }, fc.constant(null))
}

function elementText(field: FieldSpec, catalog: Pick<ModelCatalog, 'enums'>): fc.Arbitrary<string> {
  if (field.kind === 'enum') {
    return fc.constantFrom(...(catalog.enums[field.type]?.values ?? []).map((value) => value.label))
  }
  if (field.nativeType === 'Decimal' && field.name !== 'numeric') return SCALED
  return BY_NATIVE_TYPE[field.nativeType ?? ''] ?? BY_SCALAR[field.type] ?? fc.constant('')
}
