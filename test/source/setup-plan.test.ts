import { describe, expect, it } from 'vitest'
import type { DatabaseFacts, TableFacts } from '../../src/source/facts/database-facts.ts'
import { planSetup, type SetupGoal } from '../../src/source/setup/setup-plan.ts'

const table: TableFacts = {
  schema: 'public',
  table: 'users',
  kind: 'r',
  persistence: 'p',
  replicaIdentity: 'd',
  identityIndex: null,
  isOwned: true,
  owner: 'app',
  isPartition: false,
  root: { schema: 'public', table: 'users' },
  isChild: false,
  hasRowIdentity: true,
  hasPrimaryKey: true,
  uniqueIndex: null,
  hasStoredGeneratedColumn: false,
  hasVirtualGeneratedColumn: false,
  columnListsIn: [],
  generatedHiddenIn: [],
}

const bare: DatabaseFacts = {
  serverVersion: 180_004,
  walLevel: 'logical',
  role: 'app',
  database: 'shop',
  mayReplicate: true,
  mayCreateInDatabase: true,
  hasFormerSlot: false,
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
  publishesGenerated: true,
  comment: null,
  tables: [{ schema: 'public', table: 'users' }],
  named: [{ schema: 'public', table: 'users' }],
  unidentified: [],
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

/** What it remembers is shown by teardown.test.ts. */
const sqlOf = (facts: DatabaseFacts, wanted = goal) =>
  planSetup(facts, wanted)
    .steps.filter((step) => step.kind !== 'memory')
    .map((step) => step.sql)
const codesOf = (facts: DatabaseFacts) => planSetup(facts, goal).problems.map((problem) => problem.code)

describe('set-up plan', () => {
  it('prepares a bare database: identity before its publication before slot', () => {
    expect(sqlOf(bare)).toEqual([
      `CREATE PUBLICATION "rowcast" WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true, publish_generated_columns = stored)`,
      'ALTER TABLE "public"."users" REPLICA IDENTITY FULL',
      'ALTER PUBLICATION "rowcast" ADD TABLE "public"."users"',
      `SELECT pg_create_logical_replication_slot('rowcast', 'pgoutput')`,
    ])
  })

  it('has nothing to do where everything is in place', () => {
    expect(planSetup(done, goal)).toEqual({ steps: [], problems: [], undo: [], skipped: [] })
  })

  it('adds a missing table and repairs a publication that leaves actions out', () => {
    const facts = { ...done, publication: { ...publication, publishesDelete: false, tables: [], named: [] } }
    expect(sqlOf(facts)).toEqual([
      'ALTER PUBLICATION "rowcast" ADD TABLE "public"."users"',
      `ALTER PUBLICATION "rowcast" SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
    ])
  })

  it('quotes hostile names', () => {
    const hostile = { model: 'User', schema: 'a"b', table: 'x"; DROP TABLE y; --' }
    const { model: _model, ...name } = hostile
    const facts = { ...bare, tables: [{ ...table, ...name, root: name }] }
    const [, identity] = sqlOf(facts, { ...goal, tables: [hostile] })
    expect(identity).toBe('ALTER TABLE "a""b"."x""; DROP TABLE y; --" REPLICA IDENTITY FULL')
  })

  it('says a wrong database once, however many the tables', () => {
    const tables = Array.from({ length: 300 }, (_, index) => ({
      ...{ model: `Model${index}`, schema: 'public', table: `model_${index}` },
    }))
    const { problems, steps } = planSetup({ ...bare, tables: [] }, { ...goal, tables })
    expect(steps).toEqual([])
    expect(problems.map(({ code }) => code)).toEqual(['SOURCE_TABLE_MISSING'])
    expect(problems[0]?.happened).toMatch(/^None of the 300 tables .*"model_0" \(Model0\).* nor 297 more\.$/)
  })

  it.each<[string, Partial<TableFacts> | null]>([
    ['a view', { kind: 'v' }],
    ['a materialised view', { kind: 'm' }],
    ['a foreign table', { kind: 'f' }],
    ['an unlogged table', { persistence: 'u' }],
    ['a temporary table', { persistence: 't' }],
    ['no table at all', null],
  ])('goes on without %s where it is optional, and says why', (_, other) => {
    const rank = { schema: 'public', table: 'rank' }
    const ofRank = other === null ? [] : [{ ...table, ...rank, root: rank, hasRowIdentity: false, ...other }]
    const optional = { ...goal, tables: [...goal.tables, { ...rank, model: 'Rank', isOptional: true }] }
    const facts = { ...bare, tables: [table, ...ofRank] }
    const { problems, skipped, steps } = planSetup(facts, optional)
    expect([problems, steps]).toEqual([[], planSetup(bare, goal).steps])
    expect(skipped.map(({ happened }) => happened)).toEqual([expect.stringContaining('Model Rank')])
    const named = { ...goal, tables: [...goal.tables, { ...rank, model: 'Rank' }] }
    expect(planSetup(facts, named).problems).toHaveLength(1)
    const alone = { ...goal, tables: [{ ...rank, model: 'Rank', isOptional: true }] }
    expect(planSetup({ ...bare, tables: ofRank }, alone).problems).toHaveLength(1)
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
      { ...done, publication: { ...publication, isOwned: false, tables: [], named: [] } },
      'SOURCE_NOT_OWNER',
    ],
  ])('names the problem: %s', (_name, facts, code) => {
    const plan = planSetup(facts, goal)
    expect(codesOf(facts)).toEqual([code])
    expect(plan.problems[0]?.hint.length).toBeGreaterThan(10)
  })

  it('shows the owner exactly what to run', () => {
    const [problem] = planSetup(
      { ...bare, tables: [{ ...table, isOwned: false, owner: 'dba' }] },
      goal,
    ).problems
    expect(problem?.message).toContain('public.users (owner dba)')
    expect(problem?.hint).toContain('ALTER TABLE "public"."users" REPLICA IDENTITY FULL;')
    expect(problem?.hint).toContain('CREATE PUBLICATION "rowcast"')
  })

  it('needs no rights where a person prepared everything', () => {
    const facts: DatabaseFacts = {
      ...done,
      mayCreateInDatabase: false,
      tables: [{ ...table, replicaIdentity: 'f', isOwned: false }],
      publication: { ...publication, isOwned: false },
    }
    expect(planSetup(facts, goal)).toEqual({ steps: [], problems: [], undo: [], skipped: [] })
  })
})

const kept: SetupGoal = { ...goal, tables: goal.tables.map((each) => ({ ...each, replicaIdentity: 'keep' })) }
const ALTER_FULL = 'ALTER TABLE "public"."users" REPLICA IDENTITY FULL'

describe('replica identities', () => {
  it('stay as they are where the model says so', () => {
    expect(sqlOf(bare, kept).some((sql) => sql.startsWith('ALTER TABLE'))).toBe(false)
    expect(planSetup({ ...done, tables: [table] }, kept)).toEqual({
      steps: [],
      problems: [],
      undo: [],
      skipped: [],
    })
  })

  it('are set on partitions and child tables as on their root; a missing child table is published', () => {
    const leaf = { ...table, table: 'users_1', isPartition: true }
    const child = { ...table, table: 'admins', isChild: true }
    const facts = { ...done, tables: [{ ...table, replicaIdentity: 'f' }, leaf, child] }
    expect(sqlOf(facts)).toEqual([
      'ALTER TABLE "public"."users_1" REPLICA IDENTITY FULL',
      'ALTER TABLE "public"."admins" REPLICA IDENTITY FULL',
      'ALTER PUBLICATION "rowcast" ADD TABLE "public"."admins"',
    ])
    expect(planSetup({ ...done, tables: [table, leaf] }, kept).steps).toEqual([])
  })

  const list = { ...table, columnListsIn: ['others'] }
  const virtual = { ...table, hasVirtualGeneratedColumn: true }
  const hidden = { ...table, hasStoredGeneratedColumn: true, generatedHiddenIn: ['others'] }
  it.each<[string, Partial<TableFacts>, SetupGoal, string, string]>([
    ['full: a column list', list, goal, 'SOURCE_IDENTITY_CONFLICT', "replicaIdentity: 'keep'"],
    ['full: a virtual column', virtual, goal, 'SOURCE_IDENTITY_CONFLICT', 'STORED'],
    ['full: a hidden column', hidden, goal, 'SOURCE_IDENTITY_CONFLICT', 'ALTER PUBLICATION "others"'],
    ['kept, but full', { ...list, replicaIdentity: 'f' }, kept, 'SOURCE_IDENTITY_CONFLICT', '"others"'],
  ])('that would make UPDATE fail are refused: %s', (_name, facts, wanted, code, hint) => {
    const plan = planSetup({ ...done, tables: [{ ...table, ...facts }] }, wanted)
    expect(plan.steps).toEqual([])
    expect(plan.problems.map((problem) => problem.code)).toEqual([code])
    expect(plan.problems[0]?.hint).toContain(hint)
  })

  it('are not kept where nothing identifies a row; of a table that is published already, one is set', () => {
    const nothing = { ...table, hasRowIdentity: false, hasPrimaryKey: false }
    const { problems } = planSetup({ ...bare, tables: [nothing] }, kept)
    expect(problems).toMatchObject([
      { code: 'SOURCE_IDENTITY_MISSING', hint: expect.stringContaining(ALTER_FULL) },
    ])
    expect(sqlOf({ ...done, tables: [nothing] }, kept)).toEqual([ALTER_FULL])
  })

  it.each([list, virtual, hidden])('that are kept may have what FULL may not', (facts) => {
    expect(planSetup({ ...done, tables: [facts] }, kept).problems).toEqual([])
  })

  it('of join tables in the publication are repaired; of any other table they are a problem', () => {
    const identity = { replicaIdentity: 'd', identityIndex: null }
    const join = { schema: 'public', table: '_PostToTag', isOwned: true, owner: 'app', ...identity }
    const withIndex = { ...join, uniqueIndex: '_PostToTag_AB_unique' }
    const facts = { ...done, publication: { ...publication, unidentified: [withIndex] } }
    const wanted = { ...goal, joinTables: [{ schema: 'public', table: '_PostToTag' }] }
    expect(sqlOf(facts, wanted)).toEqual([
      'ALTER TABLE "public"."_PostToTag" REPLICA IDENTITY USING INDEX "_PostToTag_AB_unique"',
    ])
    const bareJoin = {
      ...done,
      publication: { ...publication, unidentified: [{ ...join, uniqueIndex: null }] },
    }
    expect(sqlOf(bareJoin, wanted)).toEqual(['ALTER TABLE "public"."_PostToTag" REPLICA IDENTITY FULL'])
    const [problem] = planSetup(facts, goal).problems
    expect(problem?.code).toBe('SOURCE_IDENTITY_MISSING')
    expect(problem?.hint).toContain('USING INDEX "_PostToTag_AB_unique"')
    const foreign = {
      ...done,
      publication: { ...publication, unidentified: [{ ...withIndex, isOwned: false }] },
    }
    expect(planSetup(foreign, wanted).problems.map((each) => each.code)).toEqual(['SOURCE_NOT_OWNER'])
  })
})

describe('generated columns', () => {
  const generated = { ...table, hasStoredGeneratedColumn: true }

  it('are published from PostgreSQL 18 on, before the identity counts them', () => {
    const unpublished = { ...publication, publishesGenerated: false }
    expect(sqlOf({ ...done, publication: unpublished, tables: [generated] })).toEqual([
      'ALTER PUBLICATION "rowcast" SET (publish_generated_columns = stored)',
      ALTER_FULL,
    ])
    expect(sqlOf({ ...bare, tables: [generated] })[0]).toContain('publish_generated_columns = stored')
    expect(sqlOf({ ...done, tables: [{ ...generated, replicaIdentity: 'f' }] })).toEqual([])
  })

  it('are published before there are any, as a table may get one at any time; unless the publication is not ours', () => {
    const unpublished = { ...publication, publishesGenerated: false }
    const set = ['ALTER PUBLICATION "rowcast" SET (publish_generated_columns = stored)']
    expect(sqlOf({ ...done, publication: unpublished })).toEqual(set)
    expect(sqlOf({ ...done, publication: { ...unpublished, isOwned: false } })).toEqual([])
  })

  it('that are virtual have the identity set back, whatever else is in the way', () => {
    const virtual = { ...table, replicaIdentity: 'f', hasVirtualGeneratedColumn: true }
    const back = ['ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT']
    const { undo, problems } = planSetup({ ...done, tables: [virtual] }, goal)
    expect(undo.map(({ sql }) => sql)).toEqual(back)
    expect(problems[0]).toMatchObject({
      code: 'SOURCE_IDENTITY_CONFLICT',
      hint: expect.stringContaining(back[0] ?? ''),
    })
    const keep = {
      ...goal,
      tables: goal.tables.map((each) => ({ ...each, replicaIdentity: 'keep' as const })),
    }
    expect(sqlOf({ ...done, tables: [virtual] }, keep)).toEqual(back)
    expect(planSetup({ ...done, tables: [{ ...virtual, isOwned: false }] }, keep).undo).toEqual([])
    expect(
      planSetup({ ...done, publication: { ...publication, tables: [] }, tables: [virtual] }, keep).undo,
    ).toEqual([])
  })

  it('are not before', () => {
    const facts = { ...done, serverVersion: 170_010, tables: [{ ...generated, replicaIdentity: 'f' }] }
    expect(sqlOf(facts)).toEqual([])
  })
})
