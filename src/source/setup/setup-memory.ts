/**
 * Stage 5, source. Remembers what was there before set-up, so that `disable` can put it back: in the comment of the
 * publication, which goes when it goes. Written before anything is altered, so that no time-out and no crash loses it. Pure.
 */
import { jsonOf, memberOf } from '../../member-of.ts'
import { quoteIdentifier, quoteLiteral } from '../../wire/quote.ts'
import type { DatabaseFacts, TableIdentity } from '../facts/database-facts.ts'
import type { PublicationFacts } from '../facts/publication-facts.ts'
import { isSameTable, type QualifiedTable } from '../facts/table-name.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'

/** What was there before. */
export interface SetupMemory {
  /** Whether set-up made the publication. */
  readonly isMade: boolean
  /** `publish = …` of a publication that was there and was altered; null where it was not. */
  readonly options: string | null
  /** Tables that set-up added to a publication that was there. */
  readonly added: readonly QualifiedTable[]
  readonly identities: readonly TableIdentity[]
}

/** Begins the comment, so that nobody else's is taken for ours. */
const PREFIX = 'rowcast: before: '
/** Of the layout; a comment without one is of the first. */
const VERSION = 1

const IDENTITIES: ReadonlySet<unknown> = new Set(['d', 'f', 'i', 'n'])
/** As `optionsText` writes them: they become part of a statement. */
const OPTIONS_TEXT =
  /^publish = '[a-z, ]*', publish_via_partition_root = (?:true|false)(?:, publish_generated_columns = (?:stored|none))?$/

/** What the publication's comment remembers; null when the comment is not ours, or of a newer rowcast. */
export function parseSetupMemory(comment: string | null): SetupMemory | null {
  if (comment === null || !comment.startsWith(PREFIX)) return null
  const said = jsonOf(comment.slice(PREFIX.length))
  const version = memberOf(said, 'version') ?? VERSION
  const isMade = memberOf(said, 'isMade')
  const options = memberOf(said, 'options') ?? null
  const added = listOf(memberOf(said, 'added'), parseTable)
  const identities = listOf(memberOf(said, 'identities'), parseIdentity)
  if (version !== VERSION || typeof isMade !== 'boolean' || added === null || identities === null) return null
  if (options !== null && (typeof options !== 'string' || !OPTIONS_TEXT.test(options))) return null
  return { isMade, options, added, identities }
}

function parseTable(value: unknown): QualifiedTable | null {
  const [schema, table] = [memberOf(value, 'schema'), memberOf(value, 'table')]
  return typeof schema === 'string' && typeof table === 'string' ? { schema, table } : null
}

function parseIdentity(value: unknown): TableIdentity | null {
  const [table, identity] = [parseTable(value), memberOf(value, 'identity')]
  const index = memberOf(value, 'index') ?? null
  if (table === null || typeof identity !== 'string' || !IDENTITIES.has(identity)) return null
  return index === null || typeof index === 'string' ? { ...table, identity, index } : null
}

function listOf<Member>(value: unknown, parse: (member: unknown) => Member | null): Member[] | null {
  if (!Array.isArray(value)) return null
  const members = value.flatMap((each) => parse(each) ?? [])
  return members.length === value.length ? members : null
}

/** What set-up is about to do. */
export interface SetupChanges {
  readonly identities: readonly TableIdentity[]
  readonly added: readonly QualifiedTable[]
  readonly areOptionsChanged: boolean
}

/**
 * The step that remembers; none where there is nothing new to remember, or the publication or its comment is somebody
 * else's: set-up is no worse for that. That set-up made the publication is always remembered: `disable` drops no other.
 */
export function memorySteps(facts: DatabaseFacts, goal: SetupGoal, changes: SetupChanges): SetupStep[] {
  const { publication } = facts
  const known = parseSetupMemory(publication?.comment ?? null)
  if (publication !== null && (!publication.isOwned || (publication.comment !== null && known === null))) {
    return []
  }
  // What came in first is what was there before.
  const isNew = (table: QualifiedTable, among: readonly QualifiedTable[] = []) =>
    !among.some((each) => isSameTable(each, table))
  const identities = changes.identities.filter((table) => isNew(table, known?.identities))
  const isMade = known?.isMade ?? publication === null
  const added = isMade ? [] : changes.added.filter((table) => isNew(table, known?.added))
  const options =
    publication !== null && !isMade && changes.areOptionsChanged && known?.options == null
      ? optionsText(publication, facts.serverVersion)
      : null
  const isNews = publication === null || identities.length > 0 || added.length > 0 || options !== null
  if (!isNews) return []
  const memory: SetupMemory = {
    isMade,
    options: known?.options ?? options,
    added: [...(known?.added ?? []), ...added].map(nameOnly),
    identities: [...(known?.identities ?? []), ...identities],
  }
  const text = quoteLiteral(`${PREFIX}${JSON.stringify({ version: VERSION, ...memory })}`)
  const sql = `COMMENT ON PUBLICATION ${quoteIdentifier(goal.publication)} IS ${text}`
  return [{ kind: 'memory', sql, why: 'So that `rowcast disable` can put back what was there before.' }]
}

function nameOnly({ schema, table }: QualifiedTable): QualifiedTable {
  return { schema, table }
}

function optionsText(publication: PublicationFacts, serverVersion: number): string {
  const actions = [
    ...(publication.publishesInsert ? ['insert'] : []),
    ...(publication.publishesUpdate ? ['update'] : []),
    ...(publication.publishesDelete ? ['delete'] : []),
    ...(publication.publishesTruncate ? ['truncate'] : []),
  ]
  const generated =
    serverVersion >= 180_000
      ? `, publish_generated_columns = ${publication.publishesGenerated ? 'stored' : 'none'}`
      : ''
  return `publish = '${actions.join(', ')}', publish_via_partition_root = ${publication.viaPartitionRoot}${generated}`
}
