import { describe, expect, it } from 'vitest'
import type { DatabaseFacts, TableFacts } from '../../src/source/database-facts.ts'
import { planSetup, type SetupGoal } from '../../src/source/setup-plan.ts'

const table: TableFacts = {
  schema: 'public',
  table: 'users',
  kind: 'r',
  persistence: 'p',
  replicaIdentity: 'd',
  isOwned: true,
  owner: 'app',
  isPartition: false,
}

const bare: DatabaseFacts = {
  serverVersion: 180_004,
  walLevel: 'logical',
  role: 'app',
  database: 'shop',
  mayReplicate: true,
  mayCreateInDatabase: true,
  tables: [table],
  publication: null,
  slot: null,
}

const publication = {
  owner: 'app',
  isOwned: true,
  publishesInsert: true,
  publishesUpdate: true,
  publishesDelete: true,
  publishesTruncate: true,
  viaPartitionRoot: true,
  tables: [{ schema: 'public', table: 'users' }],
}

const slot = {
  plugin: 'pgoutput',
  slotType: 'logical',
  database: 'shop',
  activePid: null,
  walStatus: 'reserved',
}

const done: DatabaseFacts = { ...bare, tables: [{ ...table, replicaIdentity: 'f' }], publication, slot }

const goal: SetupGoal = {
  tables: [{ model: 'User', schema: 'public', table: 'users' }],
  publication: 'rowcast',
  slot: 'rowcast',
}

const sqlOf = (facts: DatabaseFacts, wanted = goal) => planSetup(facts, wanted).steps.map((step) => step.sql)
const codesOf = (facts: DatabaseFacts) => planSetup(facts, goal).problems.map((problem) => problem.code)

describe('set-up plan', () => {
  it('prepares a bare database: identity before publication before slot', () => {
    expect(sqlOf(bare)).toEqual([
      'ALTER TABLE "public"."users" REPLICA IDENTITY FULL',
      `CREATE PUBLICATION "rowcast" FOR TABLE "public"."users" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
      `SELECT pg_create_logical_replication_slot('rowcast', 'pgoutput')`,
    ])
  })

  it('has nothing to do where everything is in place', () => {
    expect(planSetup(done, goal)).toEqual({ steps: [], problems: [] })
  })

  it('adds a missing table and repairs a publication that leaves actions out', () => {
    const facts = { ...done, publication: { ...publication, publishesDelete: false, tables: [] } }
    expect(sqlOf(facts)).toEqual([
      'ALTER PUBLICATION "rowcast" ADD TABLE "public"."users"',
      `ALTER PUBLICATION "rowcast" SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
    ])
  })

  it('quotes hostile names', () => {
    const hostile = { model: 'User', schema: 'a"b', table: 'x"; DROP TABLE y; --' }
    const facts = { ...bare, tables: [{ ...table, schema: hostile.schema, table: hostile.table }] }
    const [identity] = sqlOf(facts, { ...goal, tables: [hostile] })
    expect(identity).toBe('ALTER TABLE "a""b"."x""; DROP TABLE y; --" REPLICA IDENTITY FULL')
  })

  it.each<[string, DatabaseFacts, string]>([
    ['wal_level', { ...bare, walLevel: 'replica' }, 'SOURCE_WAL_LEVEL'],
    ['no right to replicate', { ...bare, mayReplicate: false }, 'SOURCE_NO_REPLICATION_RIGHT'],
    ['no such table', { ...bare, tables: [] }, 'SOURCE_TABLE_MISSING'],
    ['a view', { ...bare, tables: [{ ...table, kind: 'v' }] }, 'SOURCE_TABLE_NOT_REPLICABLE'],
    [
      'an unlogged table',
      { ...bare, tables: [{ ...table, persistence: 'u' }] },
      'SOURCE_TABLE_NOT_REPLICABLE',
    ],
    ['a slot of another plugin', { ...done, slot: { ...slot, plugin: 'wal2json' } }, 'SOURCE_SLOT_MISMATCH'],
    ['a physical slot', { ...done, slot: { ...slot, slotType: 'physical' } }, 'SOURCE_SLOT_MISMATCH'],
    ['a slot of another database', { ...done, slot: { ...slot, database: 'other' } }, 'SOURCE_SLOT_MISMATCH'],
    [
      'a table of another owner',
      { ...bare, tables: [{ ...table, isOwned: false, owner: 'dba' }] },
      'SOURCE_NOT_OWNER',
    ],
    ['no right to publish', { ...bare, mayCreateInDatabase: false }, 'SOURCE_NOT_OWNER'],
    [
      "another's publication",
      { ...done, publication: { ...publication, isOwned: false, tables: [] } },
      'SOURCE_NOT_OWNER',
    ],
  ])('names the problem: %s', (_name, facts, code) => {
    const plan = planSetup(facts, goal)
    expect(codesOf(facts)).toEqual([code])
    expect(plan.problems[0]?.mend.length).toBeGreaterThan(10)
  })

  it('tells the owner exactly what to run', () => {
    const [problem] = planSetup(
      { ...bare, tables: [{ ...table, isOwned: false, owner: 'dba' }] },
      goal,
    ).problems
    expect(problem?.message).toContain('public.users (owner dba)')
    expect(problem?.mend).toContain('ALTER TABLE "public"."users" REPLICA IDENTITY FULL;')
    expect(problem?.mend).toContain('CREATE PUBLICATION "rowcast"')
  })

  it('needs no rights where a person prepared everything', () => {
    const facts: DatabaseFacts = {
      ...done,
      mayCreateInDatabase: false,
      tables: [{ ...table, replicaIdentity: 'f', isOwned: false }],
      publication: { ...publication, isOwned: false },
    }
    expect(planSetup(facts, goal)).toEqual({ steps: [], problems: [] })
  })
})
