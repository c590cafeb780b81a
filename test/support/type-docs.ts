/**
 * docs/types.md, printed from the decoder's own table of types: every example is what the codec of that row makes of
 * PostgreSQL's text.
 */
import { isDeepStrictEqual } from 'node:util'
import { Decimal } from '../../src/catalog/prisma-runtime.ts'
import { createEnumCodec } from '../../src/catalog/values/enum-codec.ts'
import {
  EXTENSION_TYPES,
  type TablePgType,
  TEXT_LIKE_TYPES,
  type TextLikeType,
  TYPE_TABLE,
  type TypeRow,
} from '../../src/catalog/values/type-table.ts'
import {
  explainUnrepresentable,
  type UnrepresentableReason,
  UnrepresentableValue,
} from '../../src/catalog/values/unrepresentable-value.ts'
import { formlessValues } from '../../src/graphql/nullability.ts'

/** A value of each type in PostgreSQL's text form, such that a special rule of the type shows. */
const SAMPLES: Readonly<Record<TablePgType, string>> = {
  text: 'Zoë',
  varchar: 'Zoë',
  bpchar: 'ab  ',
  uuid: '5b0e9a3c-1f7d-4e52-9c1a-0d3f6a2b7c81',
  inet: '10.1.2.3/8',
  bit: '10110',
  varbit: '1011',
  xml: '<a/>',
  cidr: '10.0.0.0/8',
  name: 'a_name',
  int4: '-7',
  int2: '-7',
  oid: '4294967295',
  int8: '7',
  float8: '0.1',
  float4: '0.1',
  numeric: '12.50',
  money: '-$1,234.50',
  timestamp: '2026-03-05 12:34:56.789012',
  timestamptz: '2026-03-05 12:34:56.789012+00',
  date: '2026-03-05',
  time: '12:34:56.789012',
  timetz: '12:34:56+02:30',
  jsonb: '{"a": [1, null]}',
  json: '{"a": [1, null]}',
  bytea: '\\x00ff',
  bool: 't',
}

/** Values that JavaScript or Prisma Client treat specially: scalar, type, text form. */
const SPECIAL: readonly (readonly [scalar: string, pgType: string, text: string, isList?: 'list'])[] = [
  ['Float', 'float8', 'NaN'],
  ['Float', 'float8', '-Infinity'],
  ['Float', 'float8', '-0'],
  ['Decimal', 'numeric', 'NaN'],
  ['Decimal', 'numeric', 'Infinity'],
  ['BigInt', 'int8', '9223372036854775807'],
  ['Int', 'int8', '9007199254740993'],
  ['DateTime', 'timestamp', 'infinity'],
  ['DateTime', 'timestamptz', '-infinity'],
  ['DateTime', 'date', '0044-03-15 BC'],
  ['DateTime', 'timestamp', '10000-01-01 00:00:00'],
  ['DateTime', 'timetz', '12:34:56+02:30:15'],
  ['Json', 'jsonb', 'null'],
  ['String', 'text', '{}', 'list'],
  ['String', 'text', '{a,NULL}', 'list'],
  ['Json', 'jsonb', '{1,NULL}', 'list'],
  ['Int', 'int4', '{{1,2},{3,4}}', 'list'],
]

const REASONS: Readonly<Record<UnrepresentableReason, readonly [means: string, prisma: string]>> = {
  'null-element': ['a NULL inside a list (a list of Json holds null there)', 'refuses the row (P2023)'],
  'multi-dimensional': [
    'an array of arrays; Prisma’s lists have one dimension',
    'refuses the row or garbles it',
  ],
  'unknown-label': ['an enum label that the Prisma schema does not list (yet)', 'refuses the row (P2023)'],
  'unsafe-integer': ['an int8 in an Int field that a number cannot hold exactly', 'refuses the row (P2023)'],
  'too-deep': ['Json nested more than 1,000 levels deep', 'returns it'],
  'inexact-number': [
    'a Json of one number alone with more digits than a JavaScript number holds, whole ones beyond 2^53 apart',
    'returns it rounded',
  ],
  unreadable: [
    'bytes that are no value of the field’s type, as of an extension’s type',
    'refuses or garbles it',
  ],
  'infinite-date': ['`infinity` and `-infinity`', 'returns an Invalid Date'],
  'date-out-of-range': ['a year before 1 or after 9999', 'returns an Invalid Date'],
  'offset-with-seconds': ['a timetz whose zone has seconds', 'returns an Invalid Date'],
}

/** A row's value as one would write it in JavaScript. */
function formatJavaScript(value: unknown): string {
  const unrepresentable = explainUnrepresentable(value)
  if (value instanceof UnrepresentableValue) {
    return `UnrepresentableValue('${value.reason}', ${formatJavaScript(value.value)})`
  }
  if (unrepresentable !== null) return `Invalid Date, '${unrepresentable.reason}'`
  if (value instanceof Date) return `new Date('${value.toISOString()}')`
  if (value instanceof Decimal) return `new Decimal('${value}')`
  if (value instanceof Uint8Array) return `Uint8Array [${value.join(', ')}]`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (Array.isArray(value)) return `[${value.map(formatJavaScript).join(', ')}]`
  return JSON.stringify(value)
}

function nameJavaScriptType(value: unknown): string {
  if (value instanceof Date) return 'Date'
  if (value instanceof Decimal) return 'Decimal'
  if (value instanceof Uint8Array) return 'Uint8Array'
  return typeof value === 'object' ? 'any JSON value' : typeof value
}

function sampleOf(row: TypeRow): string {
  const sample = SAMPLES[row.pgType as TablePgType]
  if (sample === undefined) throw new Error(`No sample of ${row.pgType} in the printer of docs/types.md.`)
  return sample
}

function formatCells(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [formatCells(head), formatCells(head.map(() => '---')), ...rows.map(formatCells)].join('\n')
}

function describeRow(row: TypeRow): readonly string[] {
  const sample = sampleOf(row)
  const value = row.codec.parse(sample)
  const nulls = row.listCodec.parse('{NULL}')
  return [
    row.scalar,
    row.nativeType === null ? '–' : `\`@db.${row.nativeType}\``,
    `\`${row.pgType}\``,
    nameJavaScriptType(value),
    `\`${sample}\` → \`${formatJavaScript(value)}\``,
    row.codec.byteLength === null ? 'varies' : String(row.codec.byteLength),
    isDeepStrictEqual(nulls, [null]) ? 'yes, with null' : 'yes',
  ]
}

const HEAD = [
  'Prisma',
  'native type',
  'PostgreSQL',
  'JavaScript',
  'for instance',
  'bytes in binary form',
  'list',
]

const TEXT_LIKE_SAMPLES: Readonly<Record<string, string>> = {
  ltree: 'top.science',
  lquery: 'top.*{1,2}',
  ltxtquery: 'science & !art',
  hstore: '"a"=>"1", "b"=>NULL',
  jsonpath: '$."a"[*]',
  interval: '1 year 2 mons 03:04:05.5',
  macaddr: '08:00:2b:01:02:03',
  macaddr8: '08:00:2b:ff:fe:01:02:03',
  int4range: '[1,10)',
  int8range: '[1,10)',
}

function describeTextLike({ pgType, oid, codec }: TextLikeType): readonly string[] {
  const sample = TEXT_LIKE_SAMPLES[pgType]
  if (sample === undefined) throw new Error(`No sample of ${pgType} in the printer of docs/types.md.`)
  const name = `\`${pgType}\`${oid === null ? ' (extension)' : ''}`
  return [name, `\`${formatJavaScript(codec.parse(sample))}\``, oid === null ? 'reads it' : 'refuses the row']
}

function describeSpecial([scalar, pgType, text, isList]: (typeof SPECIAL)[number]): readonly string[] {
  const row = TYPE_TABLE.find((one) => one.scalar === scalar && one.pgType === pgType)
  if (row === undefined) throw new Error(`${scalar} on ${pgType} is not in the table of types.`)
  const value = (isList ? row.listCodec : row.codec).parse(text)
  return [
    `${scalar}${isList ? '[]' : ''} on \`${pgType}${isList ? '[]' : ''}\``,
    `\`${text}\``,
    `\`${formatJavaScript(value)}\``,
  ]
}

function describeEnum(): readonly string[] {
  const codec = createEnumCodec({
    name: 'Mood',
    schema: null,
    dbName: 'mood',
    values: [{ name: 'redOne', label: 'red one', documentation: null }],
    documentation: null,
  })
  return [
    'an enum',
    '–',
    'the enum’s type, or text',
    'string',
    `\`red one\` → \`${formatJavaScript(codec.parse('red one'))}\``,
    'varies',
    'yes',
  ]
}

/** Each scalar, and its native types that differ, with what its GraphQL type has no form for. */
function formlessRows(): readonly (readonly string[])[] {
  const rows = TYPE_TABLE.filter((row) => row.isNative).map(({ scalar, nativeType }) => {
    const field = { kind: 'scalar', type: scalar, nativeType } as const
    return [scalar, nativeType, formlessValues(field, scalar)] as const
  })
  return rows.flatMap(([scalar, nativeType, formless], index) => {
    const before = rows[index - 1]
    if (formless === null || (before?.[0] === scalar && before[2] === formless)) return []
    const isWhole = rows.every(([other, , values]) => other !== scalar || values === formless)
    const types = rows.filter(([other, , values]) => other === scalar && values === formless)
    const named = types.map(([, name]) => `\`@db.${name}\``).join(', ')
    const field = isWhole ? scalar : `${scalar} ${named}`
    return nativeType === null ? [] : [[field, formless.examples, `\`${formless.reason}\``]]
  })
}

/** The whole page. */
export function formatTypeDocs(): string {
  const native = TYPE_TABLE.filter((row) => row.isNative)
  const tolerated = TYPE_TABLE.filter((row) => !row.isNative)
  const extensions = EXTENSION_TYPES.map(({ scalar, nativeType, pgType }) => [
    scalar,
    `\`@db.${nativeType}\``,
    `\`${pgType}\` (extension)`,
    'string',
    "`Zoë` → `'Zoë'`",
    'varies',
    'yes',
  ])
  return `# Types

Printed by \`npm run docs:types\` from the table that the decoder uses (\`src/catalog/values/type-table.ts\`); a test fails
when they differ. The values are those of Prisma Client, which is the oracle of \`test/catalog/prisma-oracle.pg.test.ts\`.

PostgreSQL sends a value in its text or in its binary form; both give the same JavaScript value. SQL NULL is \`null\`. A
value that PostgreSQL did not send (unchanged TOAST) is not null: it is named in the change's \`unavailable\`.

## What a Prisma schema can ask for

The first row of a scalar is its default. Any of them can be a list (\`String[]\`); "with null" says that a list may hold
NULLs, which elsewhere make it an \`UnrepresentableValue\`.

${formatTable(HEAD, [...native.map(describeRow), ...extensions, describeEnum()])}

A domain is read as the type it is based on; a column that no field stands for, or that the schema has as \`Unsupported\`, is skipped.
\`money\` has the digits that \`lc_monetary\` of the database gives its currency, as in Prisma Client.
Dates keep milliseconds: what is below is dropped. A time is on 1970-01-01, and the zone of a \`timetz\` is ignored.

## What is read as well

Columns that were altered while the schema was not; Prisma Client reads these, too.

${formatTable(HEAD, tolerated.map(describeRow))}

## Types that a String field shows as PostgreSQL prints them

${formatTable(['PostgreSQL', 'for instance', 'Prisma Client'], TEXT_LIKE_TYPES.map(describeTextLike))}

Any other type (composite types, other ranges, multiranges, \`cube\`, \`tsvector\`, \`pg_lsn\`, …) is shown as its output function prints it, too, alone, in lists, in
keys and as the base of domains. Where the binary form of a column that a String field shows is not known, the stream asks for text: pgoutput has one form for all
tables, so that all values come as text then, which costs some speed and changes no value (the log says which column it is). A column that gets such a type
while changes flow is \`unreadable\` until the next look at the catalog (\`watchIntervalMs\`). In arrays of a domain over \`box\`
elements are split at commas: only \`box[]\` itself has the delimiter \`;\`.

## Special values

${formatTable(['field', 'in PostgreSQL', 'in the row'], SPECIAL.map(describeSpecial))}

## What counts as changed

\`changed\` of an UPDATE names the fields whose values are distinct to PostgreSQL (\`IS DISTINCT FROM\`); \`test/catalog/row-images.pg.test.ts\` asks it. So \`1.0\` and \`1.00\` of
a Decimal are the same, as are \`0\` and \`-0\` of a Float, and NaN is NaN; a timestamp that differs by a microsecond has changed though both are shown
alike; Json is compared by every digit, \`json\` as if it were \`jsonb\` (nested more than 1,000 levels deep: by its text); a list also by its bounds
and by NULL, which is not the empty list. A String has changed when its text has, also where PostgreSQL calls two texts equal (\`citext\`, \`interval\`).

## Values that Prisma Client cannot show

They never stop the stream. Where Prisma Client refuses the row, the field holds an \`UnrepresentableValue\` with a
\`reason\` and the nearest JavaScript \`value\`; where it returns an Invalid Date, the field holds the same one. The type of the row knows of neither:
\`explainUnrepresentable\` says of any value of a row whether it is one of them.

\`\`\`ts
import { explainUnrepresentable } from 'rowcast'

for await (const change of rowcast.subscribe('User', { action: ['INSERT'] })) {
  const why = explainUnrepresentable(change.new.createdAt) // null for every value that is the database's
  if (why === null) console.log(change.new.createdAt.toISOString())
  else console.log(why.reason, why.value) // infinite-date Infinity
}
\`\`\`

Over GraphQL such a value is an
error at its field, \`GRAPHQL_VALUE_UNREPRESENTABLE\` with \`extensions.reason\`; the subscription goes on. Where Prisma Client refuses the row, a query fails as a
whole (reason \`refused\`: it does not say for which field), and of a required field the row under \`new\` or \`old\` is null.

${formatTable(
  ['reason', 'means', 'Prisma Client'],
  Object.entries(REASONS).map(([reason, [means, prisma]]) => [`\`${reason}\``, means, prisma]),
)}

## Values that GraphQL has no form for

Prisma Client returns these, and no GraphQL type shows them. Such a field is null, with the error \`GRAPHQL_VALUE_UNREPRESENTABLE\` and its \`reason\`, in
queries, under \`new\` and \`old\`, and in keys. GraphQL lets only nullable fields be null, so these fields are nullable also where the
column is required, and elements of their lists are; a row or a list is never lost for one value.

${formatTable(['field', 'values', 'reason'], formlessRows())}

Code generators make \`number | null\` of a required Float then, and \`string | null\` of a required DateTime. Where a database holds no such values (a CHECK
constraint sees to it, for instance), \`alwaysRequired: true\` in the config keeps required columns required; a value without a form then fails
its row, and the list that the row is in. A \`Decimal\` shows \`"NaN"\` and \`"Infinity"\` as these words. With a builder of your own your fields are
as nullable as you make them: the key alone is rowcast’s.
`
}
