/**
 * Beside the spine, generator. Markers are found by name: one at a name that the contract does not have hides nothing, as of a schema that is newer than
 * the contract, of another project, or of a line that Prisma reads otherwise than rowcast.
 */
import { RowcastError } from '../errors.ts'
import type { ContractEnum } from './contract-models.ts'
import type { ContractPart } from './contract-part.ts'
import { isMarked, type SchemaComments } from './parse-schema-comments.ts'

/** @throws GENERATOR_BAD_MARKER for one at what the contract does not have */
export function checkMarkers(
  comments: SchemaComments,
  contract: ContractPart,
  enums: ReadonlyMap<string, ContractEnum>,
): void {
  const known = knownNames(contract, enums)
  for (const [name, { comment, members }] of comments) {
    const own = known.get(name)
    if (own === undefined && isMarked(comment)) throw unheeded(name)
    for (const [member, said] of members)
      if (isMarked(said) && own?.has(member) !== true) throw unheeded(`${name}.${member}`)
  }
}

/** Members by model and enum; models that have no place in a catalog, too. */
function knownNames(
  contract: ContractPart,
  enums: ReadonlyMap<string, ContractEnum>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const known = new Map<string, Set<string>>()
  for (const [, namespace] of contract.get('domain').entries('namespaces')) {
    for (const [name, model] of namespace.entries('models')) {
      const members = known.get(name) ?? new Set()
      known.set(name, members)
      for (const [member] of [...model.entries('fields'), ...model.entries('relations')]) members.add(member)
    }
  }
  for (const [name, { values }] of enums) known.set(name, new Set([...(known.get(name) ?? []), ...values]))
  return known
}

function unheeded(where: string): RowcastError {
  return new RowcastError(
    'GENERATOR_BAD_MARKER',
    `The contract has no ${where}, and a marker stands at it.`,
    {
      hint: 'Run `prisma contract emit` first, and name the schema that it reads with --schema; write each declaration on a line of its own.',
    },
  )
}
