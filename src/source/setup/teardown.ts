/**
 * Stage 5, source. `disable`: takes away what set-up made, on a short-lived connection of its own, and puts back what
 * was there before. Whatever stops it half-way, it can be run again: the memory goes last.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RowcastError } from '../../errors.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../wire/quote.ts'
import { publishedRelationsSql } from '../db/published-relations-sql.ts'
import { type SqlQueries, withDatabaseSession } from '../db/sql.ts'
import type { DatabaseFacts, TableIdentity } from '../facts/database-facts.ts'
import { readDatabaseFactsAt } from '../facts/database-facts.ts'
import type { PublicationFacts } from '../facts/publication-facts.ts'
import {
  HAS_UPDATE_OR_DELETE_SQL,
  refusalsOfFullSql,
  refusalsOfIndexSql,
} from '../facts/refused-statements.ts'
import { isSameTable, type QualifiedTable } from '../facts/table-name.ts'
import { identityText, nameOf } from './replica-identity.ts'
import { runSteps, type StepRunOptions } from './run-steps.ts'
import { underSetupLock } from './setup.ts'
import type { SetupGoal, SetupStep } from './setup-goal.ts'
import { parseSetupMemory, type SetupMemory } from './setup-memory.ts'
import { dropAllSkipMarks } from './skip-marks.ts'

/** A remembered table as it is now. */
export interface CurrentIdentity extends TableIdentity {
  /**
   * Whether PostgreSQL would go on to take its UPDATE and DELETE under DEFAULT, and under the index of that name: its key or
   * the index are there, and do for the row filters and column lists of everybody else; or nobody else publishes it.
   */
  readonly canBeDefault: boolean
  readonly indexes: readonly string[]
  readonly isPublishedElsewhere: boolean
}

/** The remembered tables; one that is gone is not among them. */
export type CurrentIdentities = readonly CurrentIdentity[]

/**
 * What there is to take away. Pure.
 * @throws SOURCE_SLOT_IN_USE while somebody reads the slot
 */
export function planTeardown(
  facts: DatabaseFacts,
  current: CurrentIdentities,
  goal: SetupGoal,
): readonly SetupStep[] {
  const { publication } = facts
  const steps = [...slotSteps(facts, goal)]
  const memory = parseSetupMemory(publication?.comment ?? null)
  // Whose tables it names shows nothing of who made it.
  if (publication === null || memory === null) return steps
  const ours = namedTables(facts, publication, memory, goal)
  const isDropped = memory.isMade && isAll(ours, publication)
  const identities = identitySteps(memory, current)
  // Unpublished before its identity goes: a published table must always have one that finds its rows.
  const isUnpublished = ours.length > 0 && (identities.length > 0 || !isDropped)
  return [
    ...steps,
    ...(isUnpublished ? [unpublishStep(ours, goal)] : []),
    ...(identities.length > 0 ? actionSteps(memory, goal) : []),
    ...identities,
    ...endSteps(memory, isDropped, goal),
  ]
}

/** What is said of a publication that stays as it is: nothing shows that rowcast made it, or changed it. */
export function leftPublication({ publication }: DatabaseFacts, goal: SetupGoal): string | null {
  if (publication === null || parseSetupMemory(publication.comment) !== null) return null
  const name = quoteIdentifier(goal.publication)
  return `Publication ${name} stays as it is: no comment of rowcast's says who made it, or what it was before. If nobody else needs it, run DROP PUBLICATION ${name};`
}

function slotSteps({ slot }: DatabaseFacts, goal: SetupGoal): readonly SetupStep[] {
  if (slot === null) return []
  if (slot.activePid !== null) {
    throw new RowcastError('SOURCE_SLOT_IN_USE', `Process ${slot.activePid} reads slot "${goal.slot}".`, {
      hint: `Stop the service, or run SELECT pg_terminate_backend(${slot.activePid}); then try again.`,
    })
  }
  const sql = `SELECT pg_drop_replication_slot(${quoteLiteral(goal.slot)})`
  const why = 'PostgreSQL keeps WAL for it. Cursors that clients still hold are no good afterwards.'
  return [{ kind: 'slot', sql, why }]
}

/** What of the publication is ours: what set-up added to somebody else's, or the models' tables of our own. */
function namedTables(
  { tables }: DatabaseFacts,
  publication: PublicationFacts,
  memory: SetupMemory,
  goal: SetupGoal,
): readonly QualifiedTable[] {
  const ours = memory.isMade ? [...goal.tables, ...tables, ...memory.identities] : memory.added
  return publication.named.filter((table) => ours.some((each) => isSameTable(each, table)))
}

/** Whether nothing but ours is published. */
function isAll(ours: readonly QualifiedTable[], { tables, named }: PublicationFacts): boolean {
  return [...tables, ...named].every((table) => ours.some((each) => isSameTable(each, table)))
}

function unpublishStep(ours: readonly QualifiedTable[], goal: SetupGoal): SetupStep {
  const list = ours.map((table) => quoteQualified(table.schema, table.table)).join(', ')
  const sql = `ALTER PUBLICATION ${quoteIdentifier(goal.publication)} DROP TABLE ${list}`
  return { kind: 'publication', locks: ours, sql, why: 'Nobody is to read their changes any more.' }
}

/**
 * The actions that somebody else's publication had. It may have had a table before us, with INSERT alone: under its former
 * identity PostgreSQL would refuse UPDATE and DELETE of that until they are no longer published. The other options come
 * last: under FULL, generated columns have to be published.
 */
function actionSteps(memory: SetupMemory, goal: SetupGoal): readonly SetupStep[] {
  const [actions] = /^publish = '[a-z, ]*'/.exec(memory.options ?? '') ?? []
  if (actions === undefined || (actions.includes('update') && actions.includes('delete'))) return []
  const sql = `ALTER PUBLICATION ${quoteIdentifier(goal.publication)} SET (${actions})`
  return [{ kind: 'publication', sql, why: 'Those are the actions that it published before rowcast.' }]
}

function identitySteps(memory: SetupMemory, current: CurrentIdentities): readonly SetupStep[] {
  return memory.identities.flatMap((was) => {
    const is = current.find((each) => isSameTable(each, was))
    if (is === undefined || isSameIdentity(is, was) || !canBePutBack(was, is)) return []
    return {
      kind: 'replica-identity',
      locks: [nameOf(was)],
      sql: `ALTER TABLE ${quoteQualified(was.schema, was.table)} REPLICA IDENTITY ${identityText(was)}`,
      why: `That was the replica identity of ${was.table} before rowcast.`,
    }
  })
}

/** Not where its key or index is gone, or does not do for a row filter: PostgreSQL would refuse it, or the application's statements. */
function canBePutBack(was: TableIdentity, is: CurrentIdentity): boolean {
  if (was.identity === 'i') return was.index !== null && is.indexes.includes(was.index)
  if (was.identity === 'f' || !is.isPublishedElsewhere) return true
  return was.identity === 'd' && is.canBeDefault
}

function isSameIdentity(a: TableIdentity, b: TableIdentity): boolean {
  return a.identity === b.identity && a.index === b.index
}

function endSteps(memory: SetupMemory, isDropped: boolean, goal: SetupGoal): readonly SetupStep[] {
  const name = quoteIdentifier(goal.publication)
  const kind = 'publication'
  if (isDropped) return [{ kind, sql: `DROP PUBLICATION ${name}`, why: 'It publishes nothing else.' }]
  const forget: SetupStep = {
    ...{ kind: 'memory', sql: `COMMENT ON PUBLICATION ${name} IS NULL` },
    why: 'Everything that was remembered there is put back.',
  }
  if (memory.options === null) return [forget]
  const sql = `ALTER PUBLICATION ${name} SET (${memory.options})`
  return [{ kind, sql, why: 'That is what it published before rowcast.' }, forget]
}

/** How to take away. */
export interface TeardownOptions extends StepRunOptions {
  /** Only prints what it would do. @default false */
  readonly isDry?: boolean | undefined
  /** How long to wait for whoever reads the slot, and may be ending. @default 0 */
  readonly slotWaitMs?: number | undefined
  /** Called with what is left as it is, and why. */
  readonly onLeft?: ((sentence: string) => void) | undefined
}

const SLOT_LOOK_MS = 50

/**
 * Takes away slot, publication and identities that set-up made.
 * @throws SOURCE_SLOT_IN_USE, SOURCE_PERMISSION_DENIED, SOURCE_LOCK_TIMEOUT, or a connection error
 */
export async function runTeardown(
  target: DriverTarget,
  goal: SetupGoal,
  options: TeardownOptions = {},
): Promise<readonly SetupStep[]> {
  // Nobody sets up meanwhile, nor looks after identities.
  return underSetupLock(target, () => takeAway(target, goal, options))
}

async function takeAway(
  target: DriverTarget,
  goal: SetupGoal,
  { isDry = false, slotWaitMs = 0, onLeft, ...options }: TeardownOptions,
): Promise<readonly SetupStep[]> {
  const steps = await withDatabaseSession(target, async (sql) => {
    const look = () => readDatabaseFactsAt(target, sql, goal)
    const endMs = performance.now() + slotWaitMs
    let facts = await look()
    while (facts.slot !== null && facts.slot.activePid !== null && performance.now() < endMs) {
      await delay(SLOT_LOOK_MS)
      facts = await look()
    }
    const memory = parseSetupMemory(facts.publication?.comment ?? null)
    const current = await readIdentities(sql, memory?.identities ?? [], {
      publication: goal.publication,
      serverVersion: facts.serverVersion,
    })
    const left = leftPublication(facts, goal)
    if (left !== null) onLeft?.(left)
    return planTeardown(facts, current, goal)
  })
  if (isDry) return steps
  await runSteps(target, steps, options)
  await withDatabaseSession(target, (sql) => dropAllSkipMarks((text) => sql.query(text), goal.slot))
  return steps
}

/** By name: a model may have left the config since. */
function readIdentities(
  sql: SqlQueries,
  tables: readonly QualifiedTable[],
  { publication, serverVersion }: Pick<SetupGoal, 'publication'> & Pick<DatabaseFacts, 'serverVersion'>,
): Promise<CurrentIdentities> {
  const others = `p.pubname <> $3 AND ${HAS_UPDATE_OR_DELETE_SQL}`
  // What is refused as it is, another identity makes no worse.
  const isTaken = `NOT EXISTS (${refusalsOfIndexSql(serverVersion, others)})`
  const mayBe = `(${isTaken} OR c.relreplident = 'f' AND EXISTS (${refusalsOfFullSql(serverVersion, others)}))`
  return sql.query<CurrentIdentity>(
    `WITH elsewhere AS (${publishedRelationsSql(serverVersion, 'p.pubname <> $3 AND (p.pubupdate OR p.pubdelete)')})
     SELECT n.nspname::text AS "schema", c.relname::text AS "table", c.relreplident::text AS "identity",
            (SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
              WHERE i.indrelid = c.oid AND i.indisreplident AND c.relreplident = 'i') AS "index",
            EXISTS (SELECT FROM pg_index i
                     WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid
                       AND ${mayBe}) AS "canBeDefault",
            ARRAY(SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                   WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                     AND ${mayBe}) AS "indexes",
            EXISTS (SELECT FROM (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_ancestors(c.oid)) up
                      JOIN elsewhere USING (relid)) AS "isPublishedElsewhere"
       FROM unnest($1::text[], $2::text[]) AS name(nspname, relname)
       JOIN pg_namespace n ON n.nspname = name.nspname
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = name.relname`,
    [tables.map(({ schema }) => schema), tables.map(({ table }) => table), publication],
  )
}
