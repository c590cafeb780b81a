/** Columns of any type behind String fields: rows, old rows, keys and filters have PostgreSQL's own text of them. */
import { expect, test } from 'vitest'
import { openScenario } from '../scenarios/scenario.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

const EXTENSIONS = ['ltree', 'hstore', 'citext', 'cube', 'isn']

/** Types whose binary form is known, or is their text, with values. */
const READABLE: Readonly<Record<string, readonly string[]>> = {
  ltree: ['a.b'],
  lquery: ['a.*{1,2}'],
  ltxtquery: ['a & !b'],
  hstore: ['"a"=>"1", "b"=>NULL', ''],
  citext: ['Zoë'],
  jsonpath: ['$.a[*] ? (@ > 1)'],
  interval: ['1 year -2 mons 3 days -04:05:06.789', '0', '-1 days +02:03:00', '178000000 years'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:ff:fe:01:02:03'],
  int4range: ['[1,10)', '(,5]', 'empty', '(,)'],
  int8range: ['[-9223372036854775808,9223372036854775807)'],
  inet: ['::1', '10.1.2.3/8', '::ffff:1.2.3.4', '0::5:6/64'],
  cidr: ['10.0.0.0/8', '::/0'],
  bit: ['1'],
  varbit: ['1011001110', ''],
  xml: ['<a b="c">é</a>'],
  name: ['a name'],
  uuid: ['5b0e9a3c-1f7d-4e52-9c1a-0d3f6a2b7c81'],
  mood: ['red one', 'b"\\,{}'],
  // They are domains: the stream names the types that they are based on.
  'information_schema.sql_identifier': ['an_identifier'],
  'information_schema.character_data': ['data'],
  'information_schema.yes_or_no': ['YES'],
}

/** Types of which only the database knows how their bytes read. */
const OPAQUE: Readonly<Record<string, readonly string[]>> = {
  pair: ['(1,"a b")', '(,)'],
  numrange: ['[1.0,2.50)', 'empty'],
  daterange: ['[2026-01-01,infinity)'],
  tsrange: ['["2026-01-01 00:00:00.000001",)'],
  int4multirange: ['{[1,3),[5,)}', '{}'],
  datemultirange: ['{[2026-01-01,2026-01-02)}'],
  point: ['(1.5,-2)'],
  box: ['(3,4),(1,2)'],
  circle: ['<(1,2),3>'],
  polygon: ['((0,0),(1,1),(2,0))'],
  tsvector: ["'cat':3 'fat':2A"],
  tsquery: ["'a' & !'b'"],
  pg_lsn: ['16/B374D848'],
  xid8: ['18446744073709551615'],
  oidvector: ['1 2 3'],
  int2vector: ['1 2'],
  regclass: ['pg_class'],
  regtype: ['integer'],
  txid_snapshot: ['10:20:10,14'],
  cube: ['(1, 2),(3, 4)'],
  isbn: ['978-0-11-000533-1'],
  char: ['x'],
}

const TYPES_SQL = `
  CREATE TYPE mood AS ENUM ('red one', 'b"\\,{}');
  CREATE TYPE pair AS (a int, b text);
  ${EXTENSIONS.map((name) => `CREATE EXTENSION ${name};`).join('\n')}`

interface Column {
  readonly name: string
  readonly type: string
  readonly isList: boolean
  readonly values: readonly string[]
}

/** The type itself, its array, a domain over it and an array of that: each is a column. */
function columnsOf(types: Readonly<Record<string, readonly string[]>>, withLists: (type: string) => boolean) {
  let domains = ''
  const columns = Object.entries(types).flatMap(([name, values], index): Column[] => {
    const type = name === 'char' ? '"char"' : name
    domains += `CREATE DOMAIN domain_${index} AS ${type}; CREATE DOMAIN outer_${index} AS domain_${index};`
    const lists: Column[] = [
      { name: `l${index}`, type: `${type}[]`, isList: true, values },
      { name: `dl${index}`, type: `outer_${index}[]`, isList: true, values },
    ]
    // Arrays of box have a delimiter of their own, and nothing in the stream says so of a domain's.
    const shownLists = !withLists(name) ? [] : name === 'box' ? lists.slice(0, 1) : lists
    return [
      { name: `c${index}`, type, isList: false, values },
      { name: `d${index}`, type: `outer_${index}`, isList: false, values },
      ...shownLists,
    ]
  })
  return { columns, domains }
}

function literal({ values, isList, type }: Column, turn: number): string {
  const quoted = values.map((value) => `'${value.replaceAll("'", "''")}'`)
  return isList
    ? `ARRAY[${quoted.join(', ')}]::text[]::${type}`
    : `${quoted[turn % quoted.length]}::text::${type}`
}

async function check(
  types: Readonly<Record<string, readonly string[]>>,
  withLists: (type: string) => boolean,
  key = 'text',
): Promise<readonly string[]> {
  const { columns, domains } = columnsOf(types, withLists)
  const named: string[] = []
  const logger = {
    ...{ debug() {}, error() {}, warn() {} },
    info: (message: string) => named.push(message),
  }
  const model = buildModel(
    [
      buildField('id', 'String'),
      ...columns.map(({ name, isList }) => buildField(name, 'String', { isList, isRequired: false })),
    ],
    { name: 'Any', table: 'any' },
  )
  const { sql, watch } = await openScenario({
    sql: `${TYPES_SQL} ${domains} CREATE TABLE "any" (id ${key} PRIMARY KEY, ${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`,
    models: [model],
    options: { logger },
  })
  const changes = watch('Any')
  // What the output function of the type prints; casts to text may differ from it, as that of inet does.
  const shown = columns.map(({ name, isList }) =>
    isList
      ? `ARRAY(SELECT format('%s', item) FROM unnest(${name}) item) AS "${name}"`
      : `format('%s', ${name}) AS "${name}"`,
  )
  const images: unknown[] = []
  for (const turn of [0, 1, 2, 3]) {
    await sql(
      `INSERT INTO "any" SELECT v.* FROM (SELECT $1::text::${key}, ${columns.map((column) => literal(column, turn)).join(', ')}) v
       ON CONFLICT (id) DO UPDATE SET (${columns.map(({ name }) => name).join(', ')}) = ROW(${columns.map(({ name }) => `excluded.${name}`).join(', ')})`,
      [KEYS[key] ?? 'key'],
    )
    images.push((await sql(`SELECT id::text, ${shown.join(', ')} FROM "any"`))[0])
  }
  await sql('DELETE FROM "any"')
  const seen = await changes.take(5)
  expect(seen.map((change) => change.new)).toEqual([...images, null])
  expect(seen.map((change) => change.old)).toEqual([null, ...images])
  expect(seen.map((change) => change.key)).toEqual(Array(5).fill({ id: KEYS[key] ?? 'key' }))
  for (const [index, { changed, old, new: row }] of seen.slice(1, 4).entries()) {
    const differing = columns
      .map(({ name }) => name)
      .filter((name) => JSON.stringify(old?.[name]) !== JSON.stringify(row?.[name]))
    expect(changed, String(index)).toEqual(differing)
  }
  return named
}

const KEYS: Readonly<Record<string, string>> = { numrange: '[1.0,2.5)', interval: '1 day 02:00:00' }

const WORDS = 'A column has a type whose binary form is not known; the stream brings all values as text.'

test('types that are known in binary form come so', async () => {
  expect(await check(READABLE, () => false)).not.toContain(WORDS)
  // Arrays of domains are named after the domain, whatever that is based on.
  expect(await check(READABLE, (type) => !/^(?:bit|information_schema)/.test(type), 'interval')).toContain(
    WORDS,
  )
})

test('all others come as text, as does a key', async () => {
  expect(await check(OPAQUE, () => true, 'numrange')).toContain(WORDS)
})

test('a column that comes to have such a type has the stream begin again; its rows are to be read again, as ALTER TABLE wrote them', async () => {
  const model = buildModel([buildField('id', 'Int'), buildField('span', 'String', { isRequired: false })], {
    name: 'Any',
    table: 'any',
  })
  const { sql, watch, rowcast } = await openScenario({
    sql: 'CREATE TABLE "any" (id int PRIMARY KEY, span text, other point)',
    models: [model],
    options: { watchIntervalMs: 200 },
  })
  const changes = watch('Any')
  await sql(`INSERT INTO "any" VALUES (1, '[1.0,2.0)', '(1,2)')`)
  expect((await changes.next()).new).toEqual({ id: 1, span: '[1.0,2.0)' })
  await sql('ALTER TABLE "any" ALTER span TYPE numrange USING span::numrange')
  // PostgreSQL sends nothing of what it makes of the rows.
  await expect(changes.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
  const later = watch('Any')
  await sql(`UPDATE "any" SET span = '[3.0,4.0)' WHERE id = 1`)
  expect((await later.next()).new).toEqual({ id: 1, span: '[3.0,4.0)' })
  expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0 })
})
