/** One place gives names: whatever models and enums are called, the schema is valid and every name is there once. */
import fc from 'fast-check'
import { buildSchema, type GraphQLSchema, graphqlSync, isEnumType, isObjectType } from 'graphql'
import { describe, expect, it } from 'vitest'
import type { EnumSpec, ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { isSecretName } from '../../src/graphql/policy/secret-names.ts'
import { printServiceSchema } from '../../src/graphql/print-schema.ts'
import { RESERVED_FIELDS, RESERVED_TYPES } from '../../src/graphql/reserved-names.ts'
import { schemaNames } from '../../src/graphql/schema-names.ts'
import { field, model } from './blog-catalog.ts'

function enumOf(name: string, values: readonly string[], more: Partial<EnumSpec> = {}): EnumSpec {
  const specs = values.map((value) => ({ name: value, label: value, documentation: null }))
  return { name, schema: null, dbName: name, values: specs, documentation: null, ...more }
}

function catalogOf(models: readonly ModelSpec[], enums: readonly EnumSpec[] = []): ModelCatalog {
  return {
    formatVersion: 1,
    models: Object.fromEntries(models.map((spec) => [spec.name, spec])),
    enums: Object.fromEntries(enums.map((spec) => [spec.name, spec])),
    joinTables: [],
  }
}

const id = field('id', 'Int')
const plain = (name: string, more: Partial<ModelSpec> = {}) => model(name, { fields: [id], ...more })
const ofEnum = (name: string, type: string, isList = false) => field(name, type, { kind: 'enum', isList })

const typeNames = (schema: GraphQLSchema) => Object.keys(schema.getTypeMap())

describe('names of a schema', () => {
  it('gives way to what GraphQL and rowcast have: enums and models of such names are called otherwise', () => {
    const names = [
      'Subscription',
      'Query',
      'Mutation',
      'Cursor',
      'Transition',
      'JSON',
      'DateTime',
      'QueryMode',
    ]
    const all = ['String', ...names, 'RowcastStatus', 'ChangeAction', 'DeliveryStage']
    for (const name of all) {
      const asEnum = catalogOf(
        [model('A', { fields: [id, ofEnum('e', name), ofEnum('list', name, true)] })],
        [enumOf(name, ['X'])],
      )
      expect(typeNames(buildSchema(printServiceSchema({ catalog: asEnum })))).toContain(`${name}Enum`)
      const asModel = catalogOf([plain(name), plain('A')])
      expect(typeNames(buildSchema(printServiceSchema({ catalog: asModel })))).toContain(`${name}Model`)
    }
  })

  it('keeps what models and enums are called, and calls what is made of others otherwise', () => {
    const names = schemaNames(
      catalogOf(['User', 'UserInserted', 'UserKey', 'UserWhere'].map((name) => plain(name))),
    )
    expect(names.models.get('UserInserted')?.type).toBe('UserInserted')
    expect(names.models.get('User')).toMatchObject({
      byAction: { INSERT: 'UserInsertEvent', UPDATE: 'UserUpdated' },
      ...{ key: 'UserPrimaryKey', where: 'UserWhereInput', change: 'UserChange' },
    })
  })

  it('keeps the roots apart: case, plurals, and what rowcast has there', () => {
    const models = ['user', 'User', 'Users', 'Data', 'Datas', 'News', 'Series', 'ChangeCursor', 'WhyNot']
    const { models: names } = schemaNames(catalogOf(models.map((name) => plain(name))))
    const roots = [...names.values()].flatMap(({ one, many }) => [one, many])
    expect(new Set([...roots, ...RESERVED_FIELDS]).size).toBe(models.length * 2 + RESERVED_FIELDS.length)
    expect(names.get('User')).toMatchObject({ one: 'user', many: 'userList', changed: 'userChanged' })
    expect(names.get('user')).toMatchObject({ one: 'user_', changed: 'user_Changed' })
    expect(names.get('ChangeCursor')).toMatchObject({ one: 'ChangeCursor', changed: 'ChangeCursorChanged' })
    expect(names.get('News')).toMatchObject({ one: 'news', many: 'newsList' })
  })

  it('a chosen name is taken as it is, and what it is taken from gives way', () => {
    const models = [plain('Account', { graphqlName: 'User' }), plain('User')]
    const names = schemaNames(catalogOf(models, [enumOf('Transition', ['true'], { graphqlName: 'Step' })]))
    expect(names.models.get('Account')).toMatchObject({ type: 'User', one: 'user', change: 'UserChange' })
    expect(names.models.get('User')).toMatchObject({ type: 'UserModel', change: 'UserChangeEvent' })
    expect(names.enums.get('Transition')?.type).toBe('Step')
    expect(() => schemaNames(catalogOf([plain('A', { graphqlName: 'Query' })]))).toThrow(
      /GRAPHQL_BAD_NAME.*A is/,
    )
    const twice = [plain('A', { graphqlName: 'C' }), plain('B', { graphqlName: 'C' })]
    expect(() => schemaNames(catalogOf(twice))).toThrow(/GRAPHQL_BAD_NAME.*B is to be called "C"/)
  })

  it('the reserved names are all that a schema without models has', () => {
    const schema = buildSchema(printServiceSchema({ catalog: catalogOf([plain('A')]) }))
    const own = typeNames(schema).filter((name) => !name.startsWith('A') && !name.startsWith('__'))
    expect(own.filter((name) => !name.endsWith('Filter') && !RESERVED_TYPES.includes(name))).toEqual([])
  })

  it('whatever they are called: valid, unique, and the same when printed twice', () => {
    fc.assert(
      fc.property(arbitraryCatalog, (catalog) => {
        const text = printServiceSchema({ catalog })
        const shuffled = { ...catalog, models: Object.fromEntries(Object.entries(catalog.models).reverse()) }
        expect(printServiceSchema({ catalog: shuffled })).toBe(text)
        const schema = buildSchema(text)
        expect(graphqlSync({ schema, source: '{ __typename }' }).errors).toBeUndefined()
        for (const [name, spec] of Object.entries(catalog.models)) {
          const type = schema.getType(schemaNames(catalog).models.get(name)?.type ?? '')
          expect(isObjectType(type) && Object.keys(type.getFields()).length).toBe(spec.fields.length)
        }
        for (const [name, spec] of Object.entries(catalog.enums)) {
          const type = schema.getType(schemaNames(catalog).enums.get(name)?.type ?? '')
          if (type !== undefined) expect(isEnumType(type) && type.getValues().length).toBe(spec.values.length)
        }
      }),
      { numRuns: 60 },
    )
  })
})

const SUFFIXES = [
  '',
  'Change',
  'Inserted',
  'Key',
  'Old',
  'Field',
  'Where',
  'WhereInput',
  'List',
  'Filter',
  'Model',
  'Enum',
  's',
  '_',
]
const WORDS = [
  'User',
  'user',
  'USER',
  'Größe',
  'Grosse',
  'Data',
  'News',
  ...RESERVED_TYPES.filter((name) => !/^(ID|String|Int|Float|Boolean)$/.test(name)),
  'StringList',
  'changeCursor',
]
const typeName = fc
  .tuple(fc.constantFrom(...WORDS), fc.constantFrom(...SUFFIXES))
  .map((parts) => parts.join(''))
const partName = fc.oneof(
  fc.constantFrom(
    'true',
    'false',
    'null',
    'größe',
    'grosse',
    'Ä',
    'A',
    'A_',
    'true_',
    'AND',
    'OR',
    'NOT',
    'rowId',
    'action',
    'key',
    'where',
  ),
  fc.stringMatching(/^[A-Za-z][A-Za-z_]{0,3}$/),
)
/** Fields that look like secrets have no names in GraphQL. */
const shownName = partName.filter((name) => !isSecretName({ name }))
const partNames = fc.uniqueArray(shownName, { minLength: 1, maxLength: 6 })

const arbitraryCatalog = fc
  .tuple(
    fc.uniqueArray(typeName, { minLength: 2, maxLength: 10 }),
    fc.array(partNames, { minLength: 10, maxLength: 10 }),
    fc.nat(9),
  )
  .map(([names, parts, enumCount]) => {
    const enums = names.slice(1, 1 + enumCount).map((name, index) => enumOf(name, parts[index] ?? ['A']))
    const models = [names[0] ?? 'M', ...names.slice(1 + enumCount)].map((name, index) => {
      const own = (parts[9 - index] ?? []).filter((each) => each !== 'id')
      const fields = own.map((each, at) => {
        const type = enums[at]?.name
        return type === undefined
          ? field(each, at % 2 === 0 ? 'String' : 'Int')
          : ofEnum(each, type, at % 2 === 1)
      })
      return model(name, { fields: [id, ...fields] })
    })
    return catalogOf(models, enums)
  })
