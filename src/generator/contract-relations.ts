/**
 * Beside the spine, generator. The relations of a Prisma 8 contract, as the catalog has them. A contract says of each end by which fields it goes, and
 * nothing of which two ends are one relation: those that go by the same fields are.
 */
import type { JoinTableSpec, RelationSpec } from '../catalog/model-catalog.ts'
import { type ContractModel, type ContractModels, schemaOf } from './contract-models.ts'
import { type ContractPart, unsupportedContract } from './contract-part.ts'

/** A relation without what comments say of it. */
export type BareRelation = Omit<RelationSpec, 'isOmitted' | 'documentation' | 'graphqlName'>

/** All relations of a contract. */
export interface ContractRelations {
  /** By model and name. */
  readonly relations: ReadonlyMap<string, readonly BareRelation[]>
  readonly joinTables: readonly JoinTableSpec[]
  /** Models that stand for nothing but a join table: Prisma 7 has none for it. */
  readonly joinModels: ReadonlySet<string>
  readonly leftOut: readonly string[]
}

/** One end. */
interface End {
  readonly model: string
  readonly name: string
  readonly to: string
  readonly relation: ContractPart
  readonly isList: boolean
  /** Whether its model has the foreign key. */
  readonly isHolder: boolean
  readonly local: readonly string[]
  readonly target: readonly string[]
}

/** What is found on the way. */
interface Found {
  readonly relations: Map<string, BareRelation[]>
  readonly joinTables: Map<string, JoinTableSpec>
  readonly leftOut: string[]
  readonly names: Set<string>
}

/** Reads them. @throws GENERATOR_BAD_CONTRACT, GENERATOR_CONTRACT_UNSUPPORTED for a cardinality that is not known */
export function readContractRelations(contract: ContractModels): ContractRelations {
  const joinModels = joinModelsOf(contract)
  const found: Found = { relations: new Map(), joinTables: new Map(), leftOut: [], names: new Set() }
  const ends: End[] = []
  for (const own of contract.models.values()) {
    if (joinModels.has(own.name)) continue
    for (const [name, relation] of own.model.entries('relations')) {
      const to = targetOf(contract, relation)
      if (to === null)
        found.leftOut.push(`${own.name}.${name}: it leads to a model that is not in the catalog`)
      else if (relation.textOf('cardinality') === 'N:M')
        readManyToMany(found, { contract, joinModels, own, name, relation, to })
      else if (!joinModels.has(to.name)) ends.push(endOf(own, name, relation, to))
    }
  }
  pairEnds(found, ends)
  return {
    ...{ relations: found.relations, joinModels, leftOut: found.leftOut },
    joinTables: [...found.joinTables.values()].filter((table) => table.modelA !== '' && table.modelB !== ''),
  }
}

/** Null for a model of another contract, and for one that is left out. */
function targetOf({ models }: ContractModels, relation: ContractPart): ContractModel | null {
  const to = relation.get('to')
  if (to.find('space') !== undefined) return null
  const model = models.get(to.textOf('model'))
  return model === undefined || model.namespace !== to.textOf('namespace') ? null : model
}

/** A table `_Name` with columns `A` and `B` and nothing else, which some many-to-many goes through. */
function joinModelsOf({ models }: ContractModels): ReadonlySet<string> {
  const through = new Set<string>()
  for (const { model } of models.values()) {
    for (const [, relation] of model.entries('relations')) {
      const table = relation.find('through')
      if (table !== undefined) through.add(`${table.textOf('namespaceId')}.${table.textOf('table')}`)
    }
  }
  const isJoin = ({ namespace, table, columns }: ContractModel) =>
    table.startsWith('_') &&
    through.has(`${namespace}.${table}`) &&
    [...columns.values()].sort().join() === 'A,B'
  return new Set([...models.values()].filter(isJoin).map(({ name }) => name))
}

function readManyToMany(
  found: Found,
  given: {
    readonly contract: ContractModels
    readonly joinModels: ReadonlySet<string>
    readonly own: ContractModel
    readonly name: string
    readonly relation: ContractPart
    readonly to: ContractModel
  },
): void {
  const { contract, joinModels, own, name, relation, to } = given
  const through = relation.get('through')
  const [table, namespace] = [through.textOf('table'), through.textOf('namespaceId')]
  const between = [...contract.models.values()].find(
    (each) => each.table === table && each.namespace === namespace,
  )
  if (between === undefined || !joinModels.has(between.name)) {
    found.leftOut.push(
      `${own.name}.${name}: it goes through ${between?.name ?? table}, whose own relations say the same`,
    )
    return
  }
  const relationName = table.slice(1)
  const spec = { relationName, schema: schemaOf(namespace), table, modelA: '', modelB: '' }
  const isA = through.textsOf('parentColumns').join() === 'A'
  found.joinTables.set(`${namespace}.${table}`, {
    ...(found.joinTables.get(`${namespace}.${table}`) ?? spec),
    ...(isA ? { modelA: own.name, modelB: to.name } : { modelA: to.name, modelB: own.name }),
  })
  found.names.add(relationName)
  addRelation(found, own.name, {
    ...{ name, model: to.name, relationName, isList: true, isRequired: true, fields: [], references: [] },
  })
}

function endOf(own: ContractModel, name: string, relation: ContractPart, to: ContractModel): End {
  const on = relation.get('on')
  const [local, target] = [on.textsOf('localFields'), on.textsOf('targetFields')]
  const cardinality = relation.textOf('cardinality')
  const isHolder = cardinality === 'N:1' || (cardinality === '1:1' && hasForeignKey(own, local, to))
  if (cardinality !== '1:N' && cardinality !== '1:1' && cardinality !== 'N:1')
    throw unsupportedContract(
      `\`${relation.path}.cardinality\` is "${cardinality}", which this rowcast does not know.`,
    )
  const isList = cardinality === '1:N'
  return { model: own.name, name, to: to.name, ...{ relation, isList, isHolder, local, target } }
}

function hasForeignKey(own: ContractModel, local: readonly string[], to: ContractModel): boolean {
  const columns = local.map((field) => own.columns.get(field)).join()
  return own.storage.items('foreignKeys').some((key) => {
    const isTo = key.get('target').textOf('tableName') === to.table
    return isTo && key.get('source').textsOf('columns').join() === columns
  })
}

/** The two ends of one relation; one without the other is none that the catalog could follow back. */
function pairEnds(found: Found, ends: readonly End[]): void {
  const pairs = new Map<string, { readonly holders: End[]; readonly others: End[] }>()
  for (const end of ends) {
    const key = JSON.stringify(
      end.isHolder ? [end.model, end.local, end.to, end.target] : [end.to, end.target, end.model, end.local],
    )
    const pair = pairs.get(key) ?? { holders: [], others: [] }
    pairs.set(key, pair)
    pair[end.isHolder ? 'holders' : 'others'].push(end)
  }
  for (const { holders, others } of pairs.values()) {
    for (const [index, end] of [...holders.entries(), ...others.entries()]) {
      if (holders[index] === undefined || others[index] === undefined)
        found.leftOut.push(`${end.model}.${end.name}: ${end.to} has no relation back`)
    }
    for (const [index, holder] of holders.entries()) {
      const other = others[index]
      if (other === undefined) continue
      const relationName = nameOf(found.names, holder)
      found.names.add(relationName)
      addRelation(found, holder.model, {
        ...bare(holder, relationName),
        fields: holder.local,
        references: holder.target,
      })
      addRelation(found, other.model, bare(other, relationName))
    }
  }
}

function bare(end: End, relationName: string): BareRelation {
  const { name, to: model, isList, relation } = end
  const isRequired = isList || !relation.flagOf('nullable')
  return { ...{ name, model, relationName, isList, isRequired }, fields: [], references: [] }
}

/** Prisma's name of a relation that says none; with its fields where there is another between the two. */
function nameOf(taken: ReadonlySet<string>, { model, to, local }: End): string {
  const plain = [model, to].sort().join('To')
  let name = plain
  for (let count = 0; taken.has(name); count++)
    name = [plain, model, ...local, ...(count === 0 ? [] : [String(count)])].join('_')
  return name
}

function addRelation({ relations }: Found, model: string, relation: BareRelation): void {
  const own = relations.get(model)
  if (own === undefined) relations.set(model, [relation])
  else own.push(relation)
}
