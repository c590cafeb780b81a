/**
 * Stage 3, catalog. A catalog comes from a file that was generated some time ago, by some version of rowcast, and may have been edited
 * or bundled since: it is looked through once, where it comes in.
 */
import { RowcastError } from '../errors.ts'
import type {
  EnumSpec,
  EnumValueSpec,
  FieldSpec,
  JoinTableSpec,
  ModelCatalog,
  ModelSpec,
  ModelTypeMap,
  RelationSpec,
} from './model-catalog.ts'

/** The version of the shape that this rowcast reads. */
export const CATALOG_VERSION = 1

/** One of no models. */
export const NO_CATALOG: ModelCatalog = {
  formatVersion: CATALOG_VERSION,
  models: {},
  enums: {},
  joinTables: [],
}

/** What a property must be; with `?` it may be null, or not there at all. */
type Kind = 'string' | 'string?' | 'boolean' | 'names' | 'names?' | 'lists of names'

const isText = (value: unknown): boolean => typeof value === 'string'
const isNames = (value: unknown): boolean => Array.isArray(value) && value.every(isText)

const KINDS: Readonly<Record<Kind, readonly [is: (value: unknown) => boolean, words: string]>> = {
  string: [isText, 'a string'],
  'string?': [(value) => value == null || isText(value), 'a string or null'],
  boolean: [(value) => typeof value === 'boolean', 'a boolean'],
  names: [isNames, 'a list of names'],
  'names?': [(value) => value == null || isNames(value), 'a list of names'],
  'lists of names': [(value) => Array.isArray(value) && value.every(isNames), 'a list of lists of names'],
}

type Kinds = Readonly<Record<string, Kind>>
/** One for each property: the compiler finds a forgotten one. */
type KindsOf<Spec> = Readonly<Record<keyof Spec, Kind>>

const NAMED = { name: 'string', graphqlName: 'string?', documentation: 'string?' } as const
const FIELD: KindsOf<FieldSpec> = {
  ...{ ...NAMED, column: 'string', kind: 'string', type: 'string', nativeType: 'string?' },
  ...{ nativeArguments: 'names?', isList: 'boolean', isRequired: 'boolean', isUnique: 'boolean' },
  ...{ hasDefault: 'boolean', isOmitted: 'boolean' },
}
const RELATION: KindsOf<RelationSpec> = {
  ...{ ...NAMED, model: 'string', relationName: 'string', fields: 'names', references: 'names' },
  ...{ isList: 'boolean', isRequired: 'boolean', isOmitted: 'boolean' },
}
const MODEL: KindsOf<Omit<ModelSpec, 'fields' | 'relations'>> = {
  ...{ ...NAMED, prismaName: 'string?', graphqlPlural: 'string?', schema: 'string?', table: 'string' },
  ...{ primaryKey: 'names', uniques: 'lists of names', isOmitted: 'boolean' },
}
const ENUM: KindsOf<Omit<EnumSpec, 'values'>> = { ...NAMED, schema: 'string?', dbName: 'string' }
const ENUM_VALUE: KindsOf<EnumValueSpec> = { ...NAMED, label: 'string' }
const JOIN_TABLE: KindsOf<JoinTableSpec> = {
  ...{ relationName: 'string', schema: 'string?', table: 'string', modelA: 'string', modelB: 'string' },
}

/**
 * The same object, once its version and its shape are known to be those of this rowcast.
 * @throws CONFIG_CATALOG_VERSION with the path of what is not
 */
export function parseCatalog<Types extends ModelTypeMap>(document: ModelCatalog<Types>): ModelCatalog<Types> {
  const { formatVersion, models, enums, joinTables } = objectAt(document, 'The catalog')
  if (formatVersion !== CATALOG_VERSION)
    throw otherVersion(`The catalog has format ${String(formatVersion)}, not ${CATALOG_VERSION}.`)
  const names = { models: objectAt(models, '`models`'), enums: objectAt(enums, '`enums`') }
  for (const [name, model] of Object.entries(names.models)) checkModel(name, model, names)
  for (const [name, each] of Object.entries(names.enums)) {
    const { values } = check(each, `enums.${name}`, ENUM)
    checkEach(values, `enums.${name}.values`, ENUM_VALUE)
  }
  for (const [index, { modelA, modelB }] of checkEach(joinTables, 'joinTables', JOIN_TABLE).entries())
    for (const model of [modelA, modelB]) mustKnow(names.models, model, `joinTables[${index}]`)
  return document
}

type Properties = Readonly<Record<string, unknown>>

function checkModel(name: string, model: unknown, names: { models: Properties; enums: Properties }): void {
  const path = `models.${name}`
  const own = check(model, path, MODEL)
  if (own['name'] !== name) throw otherVersion(`\`${path}.name\` of the catalog is not "${name}".`)
  for (const [index, { kind, type }] of checkEach(own['fields'], `${path}.fields`, FIELD).entries())
    if (kind === 'enum') mustKnow(names.enums, type, `${path}.fields[${index}]`)
  for (const [index, { model: other }] of checkEach(
    own['relations'],
    `${path}.relations`,
    RELATION,
  ).entries())
    mustKnow(names.models, other, `${path}.relations[${index}]`)
}

function mustKnow(known: Properties, name: unknown, path: string): void {
  if (!Object.hasOwn(known, String(name)))
    throw otherVersion(`\`${path}\` of the catalog names ${String(name)}, which is not in it.`)
}

function checkEach(value: unknown, path: string, kinds: Kinds): readonly Properties[] {
  if (!Array.isArray(value)) throw otherVersion(`\`${path}\` of the catalog is not a list.`)
  return value.map((each, index) => check(each, `${path}[${index}]`, kinds))
}

function check(value: unknown, path: string, kinds: Kinds): Properties {
  const own = objectAt(value, `\`${path}\``)
  for (const [name, kind] of Object.entries(kinds)) {
    const [is, words] = KINDS[kind]
    if (!is(own[name])) throw otherVersion(`\`${path}.${name}\` of the catalog is not ${words}.`)
  }
  return own
}

function objectAt(value: unknown, what: string): Properties {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Properties
  throw otherVersion(`${what} is not an object.`)
}

function otherVersion(happened: string): RowcastError {
  return new RowcastError('CONFIG_CATALOG_VERSION', happened)
}
