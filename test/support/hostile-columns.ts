/**
 * Columns of every Prisma scalar on every native type, and of types that a schema only comes near to; each with values
 * that storing takes and showing trips over. Texts as SQL takes them.
 */

/** One column of each of the models. */
export interface HostileColumn {
  /** Prisma's type, with its native type. */
  readonly prisma: string
  /** PostgreSQL's type. */
  readonly type: string
  /** A value that nobody has trouble with; null: the schema has the column as Unsupported. */
  readonly fine: string | null
  /** The same in GraphQL; null where no filter asks for equality. */
  readonly literal: string | null
  readonly hostile: readonly string[]
}

const nested = (depth: number, inner = ''): string => '['.repeat(depth) + inner + ']'.repeat(depth)
const MEGABYTE = 1_048_576

const TEXTS = [
  '',
  Array.from({ length: 31 }, (_, index) => String.fromCharCode(index + 1)).join(''),
  '\u007f\u0080\u0085\u009b31m\u00ad\u2028\u2029\u202e\u2066\ufeff\ufffe\uffff\u{10ffff}',
  '__proto__',
  'constructor',
  'data: x\n\nevent: complete\r\n\r\n: {}',
  '"}}],"errors":[null',
  '</script><!--',
  `${'e\u0301'.repeat(2_000)}`,
  'x'.repeat(MEGABYTE),
  '"'.repeat(MEGABYTE / 2),
  '\u0001'.repeat(MEGABYTE / 4),
  '☃'.repeat(MEGABYTE / 2),
]
const JSONS = [
  'null',
  ...[999, 1_000, 1_001, 2_500, 6_000].map((depth) => nested(depth)),
  nested(900, '{"a":'.repeat(900) + 'null' + '}'.repeat(900)),
  `[${'0,'.repeat(100_000)}0]`,
  `{${Array.from({ length: 20_000 }, (_, index) => `"${index}":0`).join(',')}}`,
  '{"__proto__":{"toJSON":1},"constructor":null,"toString":0,"then":1,"":"","length":-1}',
  '1e400',
  '-0',
  '9007199254740993',
  `0.${'1'.repeat(400)}`,
  `[${'9'.repeat(5_000)}]`,
  JSON.stringify('x'.repeat(MEGABYTE)),
  JSON.stringify('\u007f\u2028\ufeff\uffff'),
  '"\\u0001\\u001f"',
]
/** What jsonb refuses. */
const LOOSE_JSONS = [
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '{"\\ud83d":"\\u0000"}',
  '{"a":1,"a":2,"a":[1,1]}',
  ' \n\t[ 1 , 2 ]\r\n ',
  '1e999999999',
]
const STAMPS = [
  'infinity',
  '-infinity',
  '0044-03-15 BC',
  '4713-01-01 BC',
  '0001-01-01',
  '0099-12-31',
  '9999-12-31 23:59:59.999999',
  '10000-01-01',
  '294276-12-31 23:59:59.999999',
]
const DAYS = ['infinity', '-infinity', '4713-11-24 BC', '5874897-12-31', '10000-01-01', '0001-01-01']
const FLOATS = ['NaN', 'Infinity', '-Infinity', '-0', '1e-37', '3.4028235e38', '16777217']
const NUMERICS = [
  ...['NaN', 'Infinity', '-Infinity', '-0', '0.000', '1e-300'],
  '9'.repeat(131_072),
  `-0.${'1'.repeat(16_383)}`,
  `${'1'.repeat(1_000)}.${'0'.repeat(1_000)}`,
  '9007199254740993',
]
const MOODS = ['new one', '__proto__', '']

const text = (attribute: string, type: string, hostile = TEXTS): HostileColumn => ({
  ...{ prisma: `String${attribute}`, type, fine: 'fine', literal: '"fine"', hostile },
})
const stamp = (attribute: string, type: string, hostile: readonly string[]): HostileColumn => ({
  ...{ prisma: `DateTime${attribute}`, type, fine: '2026-11-23 08:15:30', hostile },
  literal: '"2026-11-23T08:15:30Z"',
})
/** A type that a String field shows as PostgreSQL prints it, and that no Prisma schema can ask for. */
const printed = (type: string, fine: string, ...hostile: readonly string[]): HostileColumn => ({
  ...{ prisma: 'String', type, fine, literal: JSON.stringify(fine), hostile },
})

/** What a model's columns are made of. */
export const HOSTILE_COLUMNS: readonly HostileColumn[] = [
  text('', 'text'),
  text(' @db.VarChar', 'varchar'),
  text(' @db.Char(8)', 'char(8)', ['', '        ', '\u0001\u2028\ufeff', '𐀀𐀀𐀀𐀀𐀀𐀀𐀀𐀀']),
  text(' @db.Citext', 'citext'),
  {
    ...{ prisma: 'String @db.Uuid', type: 'uuid', fine: '5b0e9a3c-1f7d-4e52-9c1a-0d3f6a2b7c81' },
    ...{ literal: '"5b0e9a3c-1f7d-4e52-9c1a-0d3f6a2b7c81"' },
    hostile: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  },
  {
    ...{ prisma: 'String @db.Inet', type: 'inet', fine: '10.0.0.1', literal: '"10.0.0.1"' },
    hostile: ['::ffff:1.2.3.4/0', '::', '0.0.0.0/0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  },
  {
    ...{ prisma: 'String @db.VarBit', type: 'varbit', fine: '101', literal: null },
    hostile: ['', '1'.repeat(MEGABYTE)],
  },
  {
    ...{ prisma: 'String @db.Xml', type: 'xml', fine: '<a/>', literal: null },
    hostile: ['', `${'<a>'.repeat(200)}${'</a>'.repeat(200)}`, `<a b="${'x'.repeat(MEGABYTE)}"/>`],
  },
  {
    ...{ prisma: 'Int', type: 'int4', fine: '7', literal: '7', hostile: ['-2147483648', '2147483647'] },
  },
  { prisma: 'Int @db.SmallInt', type: 'int2', fine: '7', literal: '7', hostile: ['-32768', '32767'] },
  { prisma: 'Int @db.Oid', type: 'oid', fine: '7', literal: '7', hostile: ['2147483648', '4294967295'] },
  {
    ...{ prisma: 'Int', type: 'int8', fine: '7', literal: '7' },
    hostile: ['2147483648', '9007199254740993', '-9223372036854775808', '9223372036854775807'],
  },
  {
    ...{ prisma: 'BigInt', type: 'int8', fine: '7', literal: '"7"' },
    hostile: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  },
  {
    ...{ prisma: 'Float', type: 'float8', fine: '0.5', literal: '0.5' },
    hostile: [...FLOATS, '5e-324', '1.7976931348623157e308'],
  },
  { prisma: 'Float @db.Real', type: 'float4', fine: '0.5', literal: '0.5', hostile: FLOATS },
  { prisma: 'Float', type: 'numeric', fine: '0.5', literal: '0.5', hostile: NUMERICS },
  { prisma: 'Decimal', type: 'numeric', fine: '0.5', literal: '"0.5"', hostile: NUMERICS },
  { prisma: 'Decimal', type: 'float8', fine: '0.5', literal: '"0.5"', hostile: FLOATS },
  {
    ...{ prisma: 'Decimal @db.Money', type: 'money', fine: '0.5', literal: '"0.5"' },
    hostile: ['-92233720368547758.08', '92233720368547758.07'],
  },
  stamp('', 'timestamp(3)', STAMPS),
  stamp(' @db.Timestamptz(6)', 'timestamptz(6)', STAMPS),
  {
    ...{ prisma: 'DateTime @db.Date', type: 'date', fine: '2026-11-23', literal: '"2026-11-23"' },
    hostile: DAYS,
  },
  {
    ...{ prisma: 'DateTime @db.Time', type: 'time', fine: '08:15:30', literal: '"08:15:30"' },
    hostile: ['24:00:00', '00:00:00', '23:59:59.999999'],
  },
  {
    ...{ prisma: 'DateTime @db.Timetz', type: 'timetz', fine: '08:15:30+00', literal: null },
    hostile: ['24:00:00-15:59:59', '12:34:56+02:30:15', '00:00:00+15:59'],
  },
  { prisma: 'Json', type: 'jsonb', fine: '{"a":1}', literal: '{ a: 1 }', hostile: JSONS },
  {
    ...{ prisma: 'Json @db.Json', type: 'json', fine: '{"a":1}', literal: '{ a: 1 }' },
    hostile: [...JSONS, ...LOOSE_JSONS],
  },
  {
    ...{ prisma: 'Bytes', type: 'bytea', fine: '\\x00ff', literal: '"AP8="' },
    hostile: ['\\x', `\\x${'00'.repeat(MEGABYTE)}`, `\\x${'ff'.repeat(300)}`],
  },
  { prisma: 'Boolean', type: 'boolean', fine: 'true', literal: 'true', hostile: ['false'] },
  { prisma: 'Mood', type: 'mood', fine: 'plain', literal: 'plain', hostile: MOODS },
  { prisma: 'Mood', type: 'text', fine: 'plain', literal: 'plain', hostile: [...MOODS, ...TEXTS] },
  printed('hstore', '"a"=>"1"', '', '"a"=>NULL', `"a"=>"${'x'.repeat(MEGABYTE)}"`, '"__proto__"=>"\u0001"'),
  printed('ltree', 'a.b', '', Array(1_000).fill('a').join('.')),
  printed('interval', '1 day', '-178000000 years', '1 year -1 day 00:00:00.000001'),
  printed('int4range', '[1,3)', 'empty', '(,)', '[-2147483648,2147483647)'),
  printed('tsvector', "'a':1", '', "'\u0001':1"),
  printed('point', '(1,2)', '(NaN,Infinity)', '(1e308,-1e-308)'),
  { prisma: 'Unsupported("box")', type: 'box', fine: null, literal: null, hostile: ['(NaN,Infinity),(0,0)'] },
  { prisma: 'Unsupported("aclitem")', type: 'aclitem', fine: null, literal: null, hostile: ['=r/postgres'] },
  {
    ...{ prisma: 'Unsupported("tsquery")', type: 'tsquery', fine: null, literal: null },
    hostile: ['', `${'!('.repeat(500)}a${')'.repeat(500)}`],
  },
]

/** Those that identify rows, each in a model of its own. */
export const HOSTILE_KEYS: readonly HostileColumn[] = HOSTILE_COLUMNS.filter(
  ({ prisma, type }) =>
    /^(?:text|citext|uuid|oid|int8|float8|numeric|timestamp|timestamptz|date|time|timetz|bytea|mood|int4range|boolean)/.test(
      type,
    ) && !prisma.startsWith('Json'),
)

const quoteElement = (value: string): string => `"${value.replace(/(["\\])/g, '\\$1')}"`

/** A list of the column's type, in the form that array_in takes. */
export function listOf(elements: readonly (string | null)[]): string {
  return `{${elements.map((value) => (value === null ? 'NULL' : quoteElement(value))).join(',')}}`
}

/** Lists of one type: shapes that no list of Prisma has, and each hostile value beside a fine one. */
export function hostileLists({ fine, hostile }: HostileColumn): readonly string[] {
  const value = fine ?? ''
  const row = listOf([value, value])
  return [
    '{}',
    listOf([null]),
    listOf([value, null, value]),
    `{${row},${row}}`,
    `{${listOf([value, null])},${listOf([null, null])}}`,
    `{{{${row}}}}`,
    `[-5:-4]=${row}`,
    listOf(Array(10_000).fill(value)),
    ...hostile.map((each) => listOf([value, each])),
  ]
}
