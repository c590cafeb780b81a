/** Fields of required columns whose values may have no GraphQL form: alone, in lists and in keys, in queries and in changes. */
import { type ExecutionResult, execute, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { FieldSpec, ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { printServiceSchema } from '../../src/graphql/print-schema.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma } from './recording-prisma.ts'
import { nextResult, subscribeTo } from './subscribe-to.ts'

/** A field, the same with a value that has a form, and what is shown of both and of a list of both. */
const NO_DATE = new Date(Number.NaN)
const KINDS: Readonly<
  Record<
    string,
    readonly [type: string, nativeType: string | null, odd: unknown, fine: unknown, shown: unknown]
  >
> = {
  float: ['Float', null, Number.NaN, 0.5, 0.5],
  real: ['Float', 'Real', Number.NEGATIVE_INFINITY, -0.5, -0.5],
  instant: ['DateTime', null, NO_DATE, new Date(0), '1970-01-01T00:00:00.000Z'],
  day: ['DateTime', 'Date', NO_DATE, new Date(0), '1970-01-01'],
  timetz: ['DateTime', 'Timetz', NO_DATE, new Date(0), '00:00:00.000'],
  oid: ['Int', 'Oid', 2 ** 32 - 1, 2 ** 31 - 1, 2 ** 31 - 1],
}
const NAMES = Object.keys(KINDS)

const fields: FieldSpec[] = [
  buildField('at', 'DateTime', { nativeType: 'Timestamptz' }),
  buildField('weight', 'Float'),
  buildField('oidId', 'Int', { nativeType: 'Oid' }),
  buildField('time', 'DateTime', { nativeType: 'Time' }),
  buildField('docs', 'Json', { isList: true }),
]
for (const [name, [type, nativeType]] of Object.entries(KINDS)) {
  fields.push(
    buildField(name, type, { nativeType }),
    buildField(`${name}s`, type, { nativeType, isList: true }),
  )
}
const catalog: ModelCatalog = {
  formatVersion: 1,
  models: { Thing: buildModel(fields, { primaryKey: ['at', 'weight', 'oidId'] }) },
  enums: {},
  joinTables: [],
}
const row = {
  ...{ at: NO_DATE, weight: Number.POSITIVE_INFINITY, oidId: 3, time: new Date(0), docs: [null, 1] },
  ...Object.fromEntries(
    Object.entries(KINDS).flatMap(([name, [, , odd, fine]]) => [
      [name, odd],
      [`${name}s`, [fine, odd, fine]],
    ]),
  ),
}
const shown = {
  ...{ docs: [null, 1], time: '00:00:00.000' },
  ...Object.fromEntries(
    Object.entries(KINDS).flatMap(([name, [, , , , form]]) => [
      [name, null],
      [`${name}s`, [form, null, form]],
    ]),
  ),
}
const SELECTION = `docs time ${NAMES.map((name) => `${name} ${name}s`).join(' ')}`

function schemaOf(answers: Parameters<typeof createRecordingPrisma>[0] = {}) {
  const feed = createFakeFeed(catalog, ['Thing'])
  const prisma = createRecordingPrisma(answers)
  return { feed, schema: buildServiceSchema({ catalog, prisma, feed, models: { Thing: {} } }) }
}

/** Where each error is, and why. */
function reasons(errors: ExecutionResult['errors'] | { path?: unknown[] }[]) {
  const list = JSON.parse(JSON.stringify(errors)) as { path: unknown[]; extensions: { reason: string } }[]
  return list.map(({ path, extensions }) => [path.slice(2).join('.'), extensions.reason]).sort()
}

describe('a value without a GraphQL form', () => {
  it('fails its own field in the same way in a query and in a change, in a list its element, in a key its part', async () => {
    const { schema, feed } = schemaOf({ 'thing.findMany': () => [row] })
    const document = parse(`{ things { ${SELECTION} } }`)
    const queried = await execute({ schema, document, contextValue: {} })
    expect(JSON.parse(JSON.stringify(queried.data))).toEqual({ things: [shown] })
    const results = await subscribeTo(
      schema,
      `subscription { thingChanged { key { at weight oidId } new { ${SELECTION} } } }`,
    )
    feed.commit({ model: 'Thing', new: row, key: { at: row.at, weight: row.weight, oidId: 3 } })
    const changed = await nextResult(results)
    expect(changed?.data).toEqual({
      thingChanged: { key: { at: null, weight: null, oidId: 3 }, new: shown },
    })
    const expected = reasons(queried.errors)
    expect(expected).toHaveLength(2 * NAMES.length)
    expect(expected).toContainEqual(['floats.1', 'not-finite'])
    expect(expected).toContainEqual(['oid', 'int-out-of-range'])
    expect(expected).toContainEqual(['timetz', 'offset-with-seconds'])
    expect(reasons(changed?.errors ?? [])).toEqual(
      [['at', 'date-out-of-range'], ['weight', 'not-finite'], ...expected].sort(),
    )
  })

  it('fails its row where the config keeps required fields required', () => {
    const thing = /type Thing \{[^}]*\}/
    const strict = resolveConfig(
      { catalog, createPrisma: () => null, alwaysRequired: true },
      { DATABASE_URL: 'postgresql://nobody@127.0.0.1/none' },
    )
    expect(printServiceSchema({ catalog }).match(thing)?.[0]).toMatch(/float: Float\n.*floats: \[Float\]!\n/)
    const printed = printServiceSchema({ catalog: strict.catalog })
    expect(printed.match(thing)?.[0]).toMatch(/float: Float!\n.*floats: \[Float!\]!\n/)
    expect(printed.match(/type ThingKey \{[^}]*\}/)?.[0]).toMatch(/at: DateTime!/)
    expect(printed).toMatch(/docs: \[JSON\]\n/)
    expect(() => resolveConfig({ catalog, createPrisma: () => null, alwaysRequired: 'yes' }, {})).toThrow(
      /alwaysRequired/,
    )
  })
})
