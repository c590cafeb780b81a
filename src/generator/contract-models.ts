/**
 * Beside the spine, generator. The models and enums of a Prisma 8 contract, each with its table: what a model says of itself (`domain`) and what is
 * stored of it (`storage`) are two halves of the file, which name each other.
 */
import { badContract, type ContractPart, unsupportedContract } from './contract-part.ts'

/** A model of the contract, and where its rows are. */
export interface ContractModel {
  readonly name: string
  readonly namespace: string
  readonly model: ContractPart
  readonly table: string
  readonly storage: ContractPart
  /** Field → column. */
  readonly columns: ReadonlyMap<string, string>
}

/** What the rest of the builder asks of a contract. */
export interface ContractModels {
  /** By name, those that have a table of their own. */
  readonly models: ReadonlyMap<string, ContractModel>
  /** Types that the contract has named. */
  readonly types: ReadonlyMap<string, ContractPart>
  readonly enums: ReadonlyMap<string, ContractEnum>
  /** What has no place in a catalog, a sentence each. */
  readonly leftOut: readonly string[]
}

/** An enum: a type of PostgreSQL, or texts that a column is checked for. */
export interface ContractEnum {
  readonly name: string
  readonly namespace: string
  readonly values: readonly string[]
  /** Of the type in PostgreSQL, where there is one, and only one with these values. */
  readonly typeName: string | null
}

/** Prisma 8's namespace of a target that has none. PostgreSQL's tables are in one: that of the connection. */
const UNBOUND_NAMESPACE = '__unbound__'

/** As the catalog has it. */
export function schemaOf(namespace: string): string | null {
  return namespace === UNBOUND_NAMESPACE ? null : namespace
}

/** Reads them. @throws GENERATOR_BAD_CONTRACT, GENERATOR_CONTRACT_UNSUPPORTED as `checkOneName` */
export function readContractModels(contract: ContractPart): ContractModels {
  const storage = contract.get('storage')
  const entries = new Map(
    storage.entries('namespaces').map(([namespace, part]) => [namespace, part.get('entries')]),
  )
  const models = new Map<string, ContractModel>()
  const enums = new Map<string, ContractEnum>()
  const leftOut: string[] = []
  for (const [, part] of contract.get('domain').entries('namespaces')) {
    for (const [name, model] of part.entries('models')) {
      if (model.find('base') !== undefined) {
        leftOut.push(
          `${name}: a variant of ${model.get('base').textOf('model')}, whose rows are those of two models`,
        )
        continue
      }
      checkOneName(models, name)
      models.set(name, modelOf({ name, model, entries }))
    }
  }
  for (const [namespace, part] of entries) {
    for (const [name, set] of part.entries('valueSet')) {
      const values = set.items('values').map(({ value }) => value)
      // One of numbers stays the number that is stored.
      if (!values.every((value) => typeof value === 'string')) continue
      checkOneName(enums, name)
      enums.set(name, { name, namespace, values, typeName: typeNameOf(part, values) })
    }
  }
  return { models, enums, leftOut, types: new Map(storage.entries('types')) }
}

function modelOf(given: {
  readonly name: string
  readonly model: ContractPart
  readonly entries: ReadonlyMap<string, ContractPart>
}): ContractModel {
  const { name, model, entries } = given
  const bridge = model.get('storage')
  const table = bridge.textOf('table')
  const storedIn = bridge.textOf('namespaceId')
  const storage = entries.get(storedIn)?.find('table')?.find(table)
  if (storage === undefined)
    throw badContract(
      `\`${bridge.path}\` names the table "${table}" of "${storedIn}", which is not in the contract.`,
    )
  const columns = new Map(bridge.entries('fields').map(([field, part]) => [field, part.textOf('column')]))
  return { name, namespace: storedIn, model, table, storage, columns }
}

/** A contract names the type at the columns alone; an enum may have none. */
function typeNameOf(entries: ContractPart, values: readonly string[]): string | null {
  const same = entries
    .entries('native_enum')
    .filter(([, type]) => JSON.stringify(type.find('members')?.value) === JSON.stringify(values))
  return same.length === 1 ? (same[0]?.[0] ?? null) : null
}

/** A name means one thing in a catalog, whichever namespace it is from. */
function checkOneName(found: ReadonlyMap<string, { readonly namespace: string }>, name: string): void {
  const other = found.get(name)
  if (other === undefined) return
  throw unsupportedContract(
    `Two namespaces have a "${name}", "${other.namespace}" and another one; a catalog has one of each name.`,
  )
}
