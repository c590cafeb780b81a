/**
 * Beside the spine, generator. Prisma 8's contract → the model catalog: its second source, beside the DMMF of Prisma 6 and 7. Pure: the same
 * contract and comments give the same catalog, and the same schema gives the catalog that it gives through the DMMF, but for what a
 * contract does not say: docs/projects.md lists it.
 */
import type { EnumSpec, FieldSpec, ModelCatalog, ModelSpec, RelationSpec } from '../catalog/model-catalog.ts'
import { CATALOG_VERSION } from '../catalog/parse-catalog.ts'
import { checkMarkers } from './check-markers.ts'
import { type ColumnType, columnTypeOf } from './contract-column.ts'
import {
  type ContractEnum,
  type ContractModel,
  type ContractModels,
  readContractModels,
  schemaOf,
} from './contract-models.ts'
import { badContract, ContractPart, unsupportedContract } from './contract-part.ts'
import { type BareRelation, readContractRelations } from './contract-relations.ts'
import {
  parseDocumentation,
  parseFieldDocumentation,
  parsePlainDocumentation,
} from './parse-documentation.ts'
import { type CommentedBlock, parseSchemaComments, type SchemaComments } from './parse-schema-comments.ts'
import { readableRelations } from './readable-relations.ts'

/** The version of contracts that this rowcast knows. */
const SCHEMA_VERSION = '1'
const HASH = /^[0-9a-f]{64}$/
const NO_COMMENTS: CommentedBlock = { comment: null, members: new Map() }

/** What became of a contract. */
export interface ContractCatalog {
  readonly catalog: ModelCatalog
  /** What of it has no place in a catalog, a sentence each. */
  readonly leftOut: readonly string[]
  /** Of what is stored, as the contract has it. */
  readonly storageHash: string
}

/**
 * Builds the catalog from a contract.json that was parsed, and the text of the `.prisma` files that it was emitted from, for their comments.
 * @throws GENERATOR_BAD_CONTRACT, GENERATOR_CONTRACT_UNSUPPORTED, GENERATOR_BAD_MARKER
 */
export function catalogFromContract(document: unknown, schemaText: string): ContractCatalog {
  const contract = new ContractPart(document, '')
  const storageHash = checkVersion(contract)
  const comments = parseSchemaComments(schemaText)
  const models = readContractModels(contract)
  checkMarkers(comments, contract, models.enums)
  const builder: Builder = {
    models,
    comments,
    created: createdColumns(contract),
    leftOut: [...models.leftOut],
    typeNames: new Map(),
  }
  const { relations, joinTables, joinModels, leftOut } = readContractRelations(models)
  const all = [...models.models.values()]
    .filter(({ name }) => !joinModels.has(name))
    .sort(byName)
    .map((model) => modelSpec(builder, model, relations.get(model.name) ?? []))
  const enums = [...models.enums.values()].sort(byName).map((each) => enumSpec(builder, each))
  const readable = readableRelations(all, joinTables)
  return {
    storageHash,
    leftOut: [...builder.leftOut, ...leftOut, ...readable.leftOut],
    catalog: {
      formatVersion: CATALOG_VERSION,
      models: Object.fromEntries(readable.models.map((spec) => [spec.name, spec])),
      enums: Object.fromEntries(enums.map((spec) => [spec.name, spec])),
      joinTables: [...readable.joinTables].sort((a, b) => compareText(a.relationName, b.relationName)),
    },
  }
}

/** What the parts of a catalog are made from. */
interface Builder {
  readonly models: ContractModels
  readonly comments: SchemaComments
  /** Columns that Prisma 8 fills by itself: namespace, table and name. */
  readonly created: ReadonlySet<string>
  readonly leftOut: string[]
  /** Names of enums in PostgreSQL, as their columns have them. */
  readonly typeNames: Map<string, string>
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareText(a.name, b.name)
}

function checkVersion(contract: ContractPart): string {
  const version = contract.textOf('schemaVersion')
  if (version !== SCHEMA_VERSION)
    throw unsupportedContract(
      `The contract has schemaVersion "${version}", and this rowcast knows "${SCHEMA_VERSION}".`,
    )
  const [family, target] = [contract.textOf('targetFamily'), contract.textOf('target')]
  if (family !== 'sql' || target !== 'postgres')
    throw unsupportedContract(`The contract is of ${family}/${target}, and rowcast reads PostgreSQL.`)
  const hash = contract.get('storage').get('storageHash')
  if (typeof hash.value === 'string' && HASH.test(hash.value)) return hash.value
  throw unsupportedContract(`\`${hash.path}\` is no SHA-256.`)
}

function createdColumns(contract: ContractPart): ReadonlySet<string> {
  const defaults = contract.find('execution')?.find('mutations')?.items('defaults') ?? []
  return new Set(
    defaults.flatMap((each) => {
      const ref = each.get('ref')
      const key = [ref.textOf('namespace'), ref.textOf('entry'), ref.textOf('field')].join('\n')
      return each.find('onCreate') === undefined ? [] : [key]
    }),
  )
}

function modelSpec(builder: Builder, model: ContractModel, bare: readonly BareRelation[]): ModelSpec {
  const { name, namespace, table, storage } = model
  const block = builder.comments.get(name) ?? NO_COMMENTS
  const { text, ...documentation } = parseDocumentation(block.comment, `model ${name}`)
  const uniques = uniqueColumns(storage)
  const fields = inOrder(
    block,
    model.model.entries('fields').map(([field, part]) => ({ name: field, part })),
  ).flatMap((each) => fieldSpec(builder, { ...each, model, block, uniques }) ?? [])
  const byColumn = new Map(fields.map((field) => [field.column, field.name]))
  const namesOf = (columns: readonly string[]): readonly string[] | null => {
    const names = columns.flatMap((column) => byColumn.get(column) ?? [])
    return names.length === columns.length ? names : null
  }
  const single = fields.filter((field) => field.isUnique).map((field) => [field.name])
  const composite = uniques
    .filter((columns) => columns.length > 1)
    .flatMap((columns) => {
      const names = namesOf(columns)
      return names === null ? [] : [names]
    })
  return {
    ...{ name, schema: schemaOf(namespace), table, fields },
    relations: relationSpecs({ name, block, bare }),
    primaryKey: namesOf(storage.find('primaryKey')?.textsOf('columns') ?? []) ?? [],
    uniques: [...single, ...composite],
    ...documentation,
    documentation: text,
  }
}

/** In the order of the schema, where it is known; a contract has names in order of the alphabet. */
function inOrder<Named extends { readonly name: string }>(
  { members }: CommentedBlock,
  all: readonly Named[],
): readonly Named[] {
  const positions = new Map([...members.keys()].map((name, index) => [name, index]))
  const positionOf = ({ name }: Named) => positions.get(name) ?? members.size
  return [...all].sort((a, b) => positionOf(a) - positionOf(b))
}

/** Of constraints and of unique indexes; of a part of the rows, or of an expression, none. */
function uniqueColumns(storage: ContractPart): readonly (readonly string[])[] {
  const constraints = storage.items('uniques').map((unique) => unique.textsOf('columns'))
  const indexes = storage
    .items('indexes')
    .filter(
      (index) =>
        index.flagOf('unique') && index.find('where') === undefined && index.find('expression') === undefined,
    )
    .map((index) => index.textsOf('columns'))
  return [...constraints, ...indexes].filter((columns) => columns.length > 0)
}

function fieldSpec(
  builder: Builder,
  given: {
    readonly name: string
    readonly part: ContractPart
    readonly model: ContractModel
    readonly block: CommentedBlock
    readonly uniques: readonly (readonly string[])[]
  },
): FieldSpec | null {
  const { name, part, model, block, uniques } = given
  const where = `${model.name}.${name}`
  const column = model.columns.get(name)
  const stored = column === undefined ? undefined : model.storage.get('columns').find(column)
  if (column === undefined || stored === undefined)
    throw badContract(`\`${part.path}\` has no column in the contract.`)
  const type = enumTypeOf(builder, stored) ?? scalarTypeOf(builder, stored)
  if (type === null) {
    builder.leftOut.push(`${where}: its column is of type ${stored.textOf('nativeType')}, which is not read`)
    return null
  }
  const { text, graphqlPlural: _, ...documentation } = parseFieldDocumentation(block.members.get(name), where)
  const isList = stored.flagOf('many')
  const isCreated = builder.created.has([model.namespace, model.table, column].join('\n'))
  return {
    ...{ name, column, ...type, isList },
    // A list that is NULL in the database is an empty one, as with Prisma 7.
    isRequired: isList || !part.flagOf('nullable'),
    isUnique: uniques.some((columns) => columns.length === 1 && columns[0] === column),
    hasDefault: isCreated || stored.find('default') !== undefined,
    ...documentation,
    documentation: text,
  }
}

function scalarTypeOf(
  builder: Builder,
  stored: ContractPart,
): (ColumnType & { readonly kind: 'scalar' }) | null {
  const type = columnTypeOf(stored, builder.models.types)
  return type === null ? null : { kind: 'scalar', ...type }
}

/** A column of an enum of PostgreSQL, or one of texts that is checked for its values. */
function enumTypeOf(builder: Builder, stored: ContractPart): (ColumnType & { readonly kind: 'enum' }) | null {
  const set = stored.find('valueSet')
  if (set === undefined) return null
  const [name, namespace] = [set.textOf('entityName'), set.textOf('namespaceId')]
  if (builder.models.enums.get(name)?.namespace !== namespace) return null
  const typeName = stored.find('typeParams')?.find('typeName')?.text()
  if (typeName !== undefined)
    builder.typeNames.set(
      name,
      typeName.startsWith(`${namespace}.`) ? typeName.slice(namespace.length + 1) : typeName,
    )
  return { kind: 'enum', type: name, nativeType: null }
}

function relationSpecs(given: {
  readonly name: string
  readonly block: CommentedBlock
  readonly bare: readonly BareRelation[]
}): readonly RelationSpec[] {
  const { name, block, bare } = given
  return inOrder(block, [...bare].sort(byName)).map((relation) => {
    const where = `${name}.${relation.name}`
    const {
      text,
      graphqlPlural: _,
      ...documentation
    } = parseFieldDocumentation(block.members.get(relation.name), where)
    return { ...relation, ...documentation, documentation: text }
  })
}

/** What Prisma 8 shows of a value is what is stored. */
function enumSpec(builder: Builder, { name, namespace, values, typeName }: ContractEnum): EnumSpec {
  const block = builder.comments.get(name) ?? NO_COMMENTS
  const { text, graphqlPlural: _, ...documentation } = parsePlainDocumentation(block.comment, `enum ${name}`)
  return {
    ...{ name, schema: schemaOf(namespace), dbName: builder.typeNames.get(name) ?? typeName ?? name },
    values: values.map((value) => {
      const said = parsePlainDocumentation(block.members.get(value), `enum value ${name}.${value}`)
      const { text: words, graphqlPlural: __, ...rest } = said
      return { name: value, label: value, ...rest, documentation: words }
    }),
    ...documentation,
    documentation: text,
  }
}
