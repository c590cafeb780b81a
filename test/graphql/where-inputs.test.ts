/** The inputs of a filter in GraphQL, and that what GraphQL makes of an argument is what the parser reads. */
import SchemaBuilder, { type SchemaTypes } from '@pothos/core'
import { type GraphQLSchema, graphql, lexicographicSortSchema, printSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import { evaluateCondition } from '../../src/bus/filter/compile-condition.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { Decimal } from '../../src/catalog/prisma-runtime.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { stateOf } from '../../src/graphql/builder/builder-state.ts'
import { defineTypes, refOf } from '../../src/graphql/builder/define-types.ts'
import type { AnyBuilder } from '../../src/graphql/builder/untyped-builder.ts'
import { enumDefinition } from '../../src/graphql/enum-type.ts'
import { SCALARS, type ScalarName } from '../../src/graphql/scalars.ts'
import { modelNames } from '../../src/graphql/schema-names.ts'
import { hiddenNames, type WhereInputOptions, whereTypes } from '../../src/graphql/where/where-inputs.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { blogCatalog, blogModel } from './blog-catalog.ts'

const everything = buildModel(
  [
    buildField('id', 'BigInt'),
    buildField('text', 'String', { isRequired: false, documentation: 'What it says.' }),
    buildField('int', 'Int'),
    buildField('float', 'Float'),
    buildField('decimal', 'Decimal'),
    buildField('at', 'DateTime', { isRequired: false }),
    buildField('bytes', 'Bytes'),
    buildField('flag', 'Boolean'),
    buildField('json', 'Json'),
    buildField('address', 'String', { nativeType: 'Inet' }),
    buildField('xml', 'String', { nativeType: 'Xml' }),
    buildField('role', 'Role', { kind: 'enum' }),
    buildField('roles', 'Role', { kind: 'enum', isList: true }),
    buildField('numbers', 'BigInt', { isList: true }),
    buildField('password', 'String', { isOmitted: true }),
  ],
  { name: 'Everything' },
)
const catalog: ModelCatalog = { ...blogCatalog, models: { ...blogCatalog.models, Everything: everything } }

/** Without the plugins, whose options the types ask for once anything imports them. */
function createBuilder(): AnyBuilder {
  return new SchemaBuilder<object>({} as never) as unknown as AnyBuilder
}

/** A schema with one field, `matches`, that says whether a row meets its `where`. */
function buildSchema(
  names: readonly string[],
  row: AnyRow = {},
  options: WhereInputOptions = {},
): GraphQLSchema {
  const builder = createBuilder()
  builder.queryType({})
  for (const name of names) {
    const model = catalog.models[name] ?? blogModel(name)
    const types = whereTypes(catalog, model, options)
    defineTypes(builder, types)
    const type = refOf(builder, modelNames(catalog, model.name).where) as never
    builder.queryField(`matches${name}`, (t) =>
      t.boolean({
        nullable: true,
        args: { where: t.arg({ type, required: false }) },
        resolve: (_root, { where }) => {
          const hiddenFields = hiddenNames(model, options.omit)
          return evaluateCondition(parseWhere(model, catalog, where, { hiddenFields }), row) ?? null
        },
      }),
    )
  }
  for (const name of stateOf(builder).needed) {
    const spec = catalog.enums[name]
    if (spec !== undefined) defineTypes(builder, [enumDefinition(blogCatalog, spec)])
    else if (Object.hasOwn(SCALARS, name)) builder.addScalarType(name as never, SCALARS[name as ScalarName])
  }
  return builder.toSchema() as GraphQLSchema & SchemaTypes
}

async function matches(row: AnyRow, where: string, variables: Record<string, unknown> = {}, types = '') {
  const schema = buildSchema(['Everything'], row)
  const source = `query ${types} { matchesEverything(where: ${where}) }`
  const result = await graphql({ schema, source, variableValues: variables })
  return result.errors === undefined ? result.data?.['matchesEverything'] : result.errors[0]?.message
}

describe('inputs', () => {
  it('of a model with every type, and of another that shares them', async () => {
    const schema = buildSchema(['Everything', 'User'])
    await expect(printSchema(lexicographicSortSchema(schema))).toMatchFileSnapshot('where-inputs.snap')
  })

  it('say nothing of what is hidden or cannot be compared', () => {
    const printed = printSchema(buildSchema(['Everything', 'User'], {}, { omit: ['bio'] }))
    expect(printed).not.toMatch(/password|bio|xml|posts/i)
  })

  it('give way to names of the catalog', () => {
    const models = {
      ...catalog.models,
      UserWhere: { ...everything, name: 'UserWhere' },
      StringFilter: everything,
    }
    const [input] = whereTypes({ ...catalog, models }, blogModel('User'))
    expect(input?.name).toBe('UserWhereInput')
  })

  it('are made once', () => {
    const builder = createBuilder()
    defineTypes(builder, whereTypes(catalog, blogModel('User')))
    const first = refOf(builder, 'UserWhere')
    defineTypes(builder, whereTypes(catalog, blogModel('User')))
    expect(refOf(builder, 'UserWhere')).toBe(first)
  })
})

describe('arguments', () => {
  const row = {
    id: 2n ** 60n,
    text: 'Hello',
    int: 5,
    float: 0.5,
    decimal: new Decimal('12.50'),
    at: null,
    bytes: new Uint8Array([1, 2]),
    flag: true,
    json: { a: [1, null], n: null },
    address: '10.0.0.1',
    role: 'ADMIN',
    roles: ['ADMIN'],
    numbers: [1n, 2n ** 60n],
  }

  it.each([
    '{ id: { equals: "1152921504606846976" } }',
    '{ id: { in: [5, "1152921504606846976"], gt: "7" } }',
    '{ text: { startsWith: "he", mode: INSENSITIVE, not: { contains: "z" } } }',
    '{ text: { not: null }, at: null }',
    '{ at: { equals: null } }',
    '{ int: { gte: 5, notIn: [6] }, float: { lt: 1 } }',
    '{ decimal: { equals: "12.5" } }',
    '{ decimal: { in: [12.50] } }',
    '{ bytes: { equals: "AQI=" } }',
    '{ flag: { not: { equals: false } } }',
    '{ address: { in: ["10.0.0.1/32"] } }',
    '{ role: { equals: ADMIN }, roles: { has: ADMIN } }',
    '{ numbers: { hasEvery: [1, "1152921504606846976"] } }',
    '{ json: { path: ["a", "0"], equals: 1 } }',
    '{ json: { path: ["n"], equalsNull: JSON_NULL } }',
    '{ json: { path: ["n"], equals: null } }',
    '{ json: { path: ["x"], equalsNull: DB_NULL } }',
    '{ json: { path: ["a"], arrayContains: [1], notNull: ANY_NULL } }',
    '{ OR: [{ int: { equals: 6 } }, { NOT: { flag: { equals: false } } }], AND: { int: { equals: 5 } } }',
    '{}',
  ])('%s', async (where) => {
    expect(await matches(row, where)).toBe(true)
  })

  it('as variables', async () => {
    const where = {
      decimal: { gt: '12.49' },
      at: null,
      bytes: { equals: 'AQI=' },
      NOT: [{ int: { in: [1] } }],
    }
    expect(await matches(row, '$where', { where }, '($where: EverythingWhere)')).toBe(true)
  })

  it.each([
    ['{ int: { equals: null } }', 'int is never null'],
    ['{ OR: null }', 'where.OR: takes a list'],
    ['{ text: { lt: null } }', 'null is not a value here'],
    ['{ id: { equals: "x" } }', 'Give a whole number of 64 bits'],
    ['{ json: { equals: 1, equalsNull: Other } }', 'does not exist in "JsonNullValueFilter" enum'],
  ])('%s is refused: %s', async (where, expected) => {
    expect(await matches(row, where)).toContain(expected)
  })
})
