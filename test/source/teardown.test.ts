/** What set-up remembers and what `disable` makes of it; on a real server: teardown.pg.test.ts. */
import { describe, expect, it } from 'vitest'
import type { DatabaseFacts, TableFacts } from '../../src/source/facts/database-facts.ts'
import type { PublicationFacts } from '../../src/source/facts/publication-facts.ts'
import { parseSetupMemory, type SetupMemory } from '../../src/source/setup/setup-memory.ts'
import { planSetup, type SetupGoal } from '../../src/source/setup/setup-plan.ts'
import { type CurrentIdentity, leftPublication, planTeardown } from '../../src/source/setup/teardown.ts'

const users = { schema: 'public', table: 'users' }
const others = { schema: 'public', table: 'others' }
const goal: SetupGoal = { tables: [{ model: 'User', ...users }], publication: 'rowcast', slot: 'rowcast' }

const table: TableFacts = {
  ...{ ...users, root: users, kind: 'r', persistence: 'p', isOwned: true, owner: 'app' },
  ...{
    replicaIdentity: 'd',
    identityIndex: null,
    isPartition: false,
    isChild: false,
    hasRowIdentity: true,
    hasPrimaryKey: true,
    uniqueIndex: null,
  },
  ...{ hasStoredGeneratedColumn: false, hasVirtualGeneratedColumn: false },
  ...{ columnListsIn: [], generatedHiddenIn: [] },
}
const publication: PublicationFacts = {
  ...{ owner: 'app', isOwned: true, viaPartitionRoot: true, publishesGenerated: false, comment: null },
  ...{ publishesInsert: true, publishesUpdate: true, publishesDelete: true, publishesTruncate: true },
  ...{ tables: [users], named: [users], unidentified: [] },
}
const facts: DatabaseFacts = {
  ...{ serverVersion: 180_004, walLevel: 'logical', role: 'app', database: 'shop' },
  ...{
    mayReplicate: true,
    mayCreateInDatabase: true,
    hasFormerSlot: false,
    tables: [table],
    publication: null,
    slot: null,
  },
}
const slot = {
  ...{ plugin: 'pgoutput', slotType: 'logical', database: 'shop', activePid: null, walStatus: 'reserved' },
}

/** The comment that a set-up of these facts writes. */
function commentAfter(before: DatabaseFacts): string | null {
  const step = planSetup(before, goal).steps.find(({ kind }) => kind === 'memory')
  return step === undefined
    ? null
    : step.sql.replace(/^COMMENT ON PUBLICATION "rowcast" IS '(.*)'$/, '$1').replaceAll("''", "'")
}

const remembered = (before: DatabaseFacts): SetupMemory | null => parseSetupMemory(commentAfter(before))

function teardown(
  now: Partial<PublicationFacts> | null,
  identity = 'f',
  more: Partial<DatabaseFacts> = {},
  current: Partial<CurrentIdentity> = {},
) {
  const present = { ...facts, publication: now === null ? null : { ...publication, ...now }, ...more }
  const is = { ...users, identity, index: null, canBeDefault: true, indexes: [], isPublishedElsewhere: false }
  return planTeardown(present, [{ ...is, ...current }], goal).map(({ sql }) => sql)
}

describe('the memory', () => {
  it('has the identities from before, and that set-up made the publication', () => {
    expect(remembered(facts)).toEqual({
      ...{ isMade: true, options: null, added: [] },
      identities: [{ ...users, identity: 'd', index: null }],
    })
    const byIndex = { ...table, replicaIdentity: 'i', identityIndex: "it's" }
    expect(remembered({ ...facts, tables: [byIndex] })?.identities).toEqual([
      { ...users, identity: 'i', index: "it's" },
    ])
  })

  it('has what a publication that was there published, and what was added to it', () => {
    const there = { ...publication, publishesDelete: false, tables: [others], named: [others] }
    expect(remembered({ ...facts, publication: there })).toMatchObject({
      ...{ isMade: false, added: [users] },
      options:
        "publish = 'insert, update, truncate', publish_via_partition_root = true, publish_generated_columns = none",
    })
  })

  it('keeps what came in first', () => {
    const comment = commentAfter(facts)
    const again = {
      ...facts,
      publication: { ...publication, comment },
      tables: [{ ...table, replicaIdentity: 'n' }],
    }
    expect(commentAfter(again)).toBe(null)
  })

  it('is written before anything is altered', () => {
    const kinds = planSetup(facts, goal).steps.map(({ kind }) => kind)
    expect(kinds).toEqual(['publication', 'memory', 'replica-identity', 'publication', 'slot'])
  })

  it.each([
    ["somebody's comment", { ...publication, comment: 'Do not touch.' }],
    ["somebody's publication", { ...publication, isOwned: false }],
  ])('leaves %s alone', (_name, there) => {
    expect(commentAfter({ ...facts, publication: there })).toBe(null)
  })

  it.each([null, '', 'rowcast: before: ', 'rowcast: before: {}', 'rowcast: before: [1', 'before: {}'])(
    'is not read out of %j',
    (comment) => {
      expect(parseSetupMemory(comment)).toBe(null)
    },
  )

  const said = {
    ...{ version: 1, isMade: false, added: [{ schema: 'public', table: 'users' }] },
    options: "publish = 'insert', publish_via_partition_root = false, publish_generated_columns = stored",
    identities: [{ schema: 'public', table: 'users', identity: 'd', index: null }],
  }
  const read = (changed: object) =>
    parseSetupMemory(`rowcast: before: ${JSON.stringify({ ...said, ...changed })}`)

  it('is read as it was written, also before it had a version', () => {
    const { version: _version, ...memory } = said
    expect(read({})).toEqual(memory)
    expect(read({ version: undefined })).toEqual(memory)
  })

  it.each<object>([
    { version: 2 },
    { options: "publish = 'insert'); DROP TABLE users; --" },
    { options: 7 },
    { added: [{ schema: 'public' }] },
    { identities: [{ ...said.identities[0], identity: 'x' }] },
    { identities: [{ ...said.identities[0], index: 7 }] },
    { identities: [null] },
  ])('is not read where it has %j', (changed) => {
    expect(read(changed)).toBe(null)
  })
})

describe('disable', () => {
  const comment = commentAfter(facts)

  it('unpublishes, puts the identity back, and drops the publication last', () => {
    expect(teardown({ comment }, 'f', { slot })).toEqual([
      `SELECT pg_drop_replication_slot('rowcast')`,
      'ALTER PUBLICATION "rowcast" DROP TABLE "public"."users"',
      'ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT',
      'DROP PUBLICATION "rowcast"',
    ])
  })

  it('can be run again after it was stopped anywhere', () => {
    expect(teardown({ comment, tables: [], named: [] })).toEqual([
      'ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT',
      'DROP PUBLICATION "rowcast"',
    ])
    expect(teardown({ comment, tables: [], named: [] }, 'd')).toEqual(['DROP PUBLICATION "rowcast"'])
    expect(teardown(null)).toEqual([])
  })

  it('leaves tables of others in the publication', () => {
    expect(teardown({ comment, tables: [users, others], named: [users, others] })).toEqual([
      'ALTER PUBLICATION "rowcast" DROP TABLE "public"."users"',
      'ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT',
      'COMMENT ON PUBLICATION "rowcast" IS NULL',
    ])
  })

  it('gives a publication that was there its tables and options back', () => {
    const there = { ...publication, publishesDelete: false, tables: [others], named: [others] }
    const both = { tables: [users, others], named: [users, others] }
    expect(teardown({ ...both, comment: commentAfter({ ...facts, publication: there }) })).toEqual([
      'ALTER PUBLICATION "rowcast" DROP TABLE "public"."users"',
      `ALTER PUBLICATION "rowcast" SET (publish = 'insert, update, truncate')`,
      'ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT',
      `ALTER PUBLICATION "rowcast" SET (publish = 'insert, update, truncate', publish_via_partition_root = true, publish_generated_columns = none)`,
      'COMMENT ON PUBLICATION "rowcast" IS NULL',
    ])
  })

  it('ends UPDATE and DELETE of a table that somebody published with INSERT alone before its identity goes', () => {
    const insertOnly = { publishesUpdate: false, publishesDelete: false, publishesTruncate: false }
    const there = { ...publication, ...insertOnly, publishesGenerated: true }
    const unidentified = { ...table, replicaIdentity: 'n', hasRowIdentity: false, hasPrimaryKey: false }
    const comment = commentAfter({ ...facts, tables: [unidentified], publication: there })
    expect(teardown({ comment })).toEqual([
      `ALTER PUBLICATION "rowcast" SET (publish = 'insert')`,
      'ALTER TABLE "public"."users" REPLICA IDENTITY NOTHING',
      `ALTER PUBLICATION "rowcast" SET (publish = 'insert', publish_via_partition_root = true, publish_generated_columns = stored)`,
      'COMMENT ON PUBLICATION "rowcast" IS NULL',
    ])
    // Put back already: one statement does.
    expect(teardown({ comment }, 'n')).toHaveLength(2)
  })

  it.each([null, "Somebody else's."])(
    'leaves a publication with comment %j as it is, and says so',
    (said) => {
      for (const tables of [[], [users], [users, others]])
        expect(teardown({ tables, named: tables, comment: said })).toEqual([])
      const present = { ...facts, publication: { ...publication, comment: said } }
      expect(leftPublication(present, goal)).toContain('DROP PUBLICATION "rowcast";')
      expect(leftPublication({ ...facts, publication: { ...publication, comment } }, goal)).toBe(null)
      expect(leftPublication(facts, goal)).toBe(null)
    },
  )

  it('drops a publication that set-up made where it altered nothing else', () => {
    const whole = { ...facts, tables: [{ ...table, replicaIdentity: 'f' }] }
    expect(remembered(whole)).toEqual({ isMade: true, options: null, added: [], identities: [] })
    expect(teardown({ comment: commentAfter(whole) })).toEqual(['DROP PUBLICATION "rowcast"'])
  })

  it('leaves a publication whose memory it cannot read: whether it was there before is not known', () => {
    const newer = comment?.replace('"version":1', '"version":2') ?? ''
    expect(newer).toContain('"version":2')
    expect(teardown({ comment: newer }, 'f', { slot })).toEqual([
      `SELECT pg_drop_replication_slot('rowcast')`,
    ])
    expect(teardown({ comment: 'rowcast: before: edited' })).toEqual([])
  })

  it('leaves an identity that others need: where its key or index is gone, PostgreSQL would refuse statements', () => {
    const sqlOf = (is: Partial<CurrentIdentity>, before = comment) =>
      teardown({ comment: before }, 'f', {}, is).filter((sql) => sql.startsWith('ALTER TABLE'))
    const toDefault = ['ALTER TABLE "public"."users" REPLICA IDENTITY DEFAULT']
    expect(sqlOf({ isPublishedElsewhere: true, canBeDefault: false })).toEqual([])
    expect(sqlOf({ isPublishedElsewhere: true })).toEqual(toDefault)
    expect(sqlOf({ canBeDefault: false })).toEqual(toDefault)
    const byIndex = commentAfter({
      ...facts,
      tables: [{ ...table, replicaIdentity: 'i', identityIndex: 'by' }],
    })
    expect(sqlOf({}, byIndex)).toEqual([])
    expect(sqlOf({ indexes: ['by'] }, byIndex)).toEqual([
      'ALTER TABLE "public"."users" REPLICA IDENTITY USING INDEX "by"',
    ])
  })

  it('takes nothing away from under a reader', () => {
    expect(() => teardown({ comment }, 'f', { slot: { ...slot, activePid: 42 } })).toThrow(
      'SOURCE_SLOT_IN_USE',
    )
  })
})
