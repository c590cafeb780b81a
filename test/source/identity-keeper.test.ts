/** What is repaired while changes flow, and what is not; on a real server: scenarios/identities.pg.test.ts. */
import { describe, expect, it } from 'vitest'
import type { DatabaseFacts, TableFacts } from '../../src/source/facts/database-facts.ts'
import type { PublicationFacts } from '../../src/source/facts/publication-facts.ts'
import type { SetupGoal } from '../../src/source/setup/setup-goal.ts'
import { repairSteps } from '../../src/source/watch/identity-keeper.ts'

const root = { schema: 'public', table: 'events' }
const goal: SetupGoal = { tables: [{ model: 'Event', ...root }], publication: 'rowcast', slot: 'rowcast' }
const parent: TableFacts = {
  ...{ ...root, root, kind: 'p', persistence: 'p', isOwned: true, owner: 'app', isPartition: false },
  ...{
    replicaIdentity: 'f',
    identityIndex: null,
    isChild: false,
    hasRowIdentity: true,
    hasPrimaryKey: true,
    uniqueIndex: null,
  },
  ...{ hasStoredGeneratedColumn: false, hasVirtualGeneratedColumn: false },
  ...{ columnListsIn: [], generatedHiddenIn: [] },
}
const leaf: TableFacts = { ...parent, table: 'events_1', kind: 'r', isPartition: true, replicaIdentity: 'd' }
const publication: PublicationFacts = {
  ...{ owner: 'app', isOwned: true, viaPartitionRoot: true, publishesGenerated: true, comment: null },
  ...{ publishesInsert: true, publishesUpdate: true, publishesDelete: true, publishesTruncate: true },
  ...{ tables: [root], named: [root], unidentified: [] },
}
const facts: DatabaseFacts = {
  ...{ serverVersion: 180_004, walLevel: 'logical', role: 'app', database: 'shop' },
  ...{
    mayReplicate: true,
    mayCreateInDatabase: true,
    hasFormerSlot: false,
    tables: [parent, leaf],
    publication,
    slot: null,
  },
}

const repaired = (change: Partial<DatabaseFacts>, wanted = goal) =>
  repairSteps({ ...facts, ...change }, wanted)
    .filter(({ kind }) => kind !== 'memory')
    .map(({ sql }) => sql)

it('sets a new partition to FULL, and remembers what it was', () => {
  const steps = repairSteps(facts, goal)
  expect(steps.map(({ kind }) => kind)).toEqual(['memory', 'replica-identity'])
  expect(steps[0]?.sql).toContain('events_1')
  expect(steps[1]).toMatchObject({
    sql: 'ALTER TABLE "public"."events_1" REPLICA IDENTITY FULL',
    locks: [{ schema: 'public', table: 'events_1' }],
  })
})

it.each<[string, Partial<DatabaseFacts>]>([
  ['belongs to somebody else', { tables: [parent, { ...leaf, isOwned: false }] }],
  ['is of a table that is not FULL itself', { tables: [{ ...parent, replicaIdentity: 'd' }, leaf] }],
  ['has a virtual generated column', { tables: [parent, { ...leaf, hasVirtualGeneratedColumn: true }] }],
  [
    'has columns that somebody does not publish',
    { tables: [parent, { ...leaf, columnListsIn: ['theirs'] }] },
  ],
  [
    'is no partition, but the table itself, which somebody changed',
    { tables: [{ ...leaf, isPartition: false, root: { schema: 'public', table: 'events_1' } }] },
  ],
])('leaves alone what %s', (_what, change) => {
  expect(repaired(change)).toEqual([])
})

it('leaves the partitions of a model alone that keeps its identities', () => {
  const keep = { ...goal, tables: goal.tables.map((each) => ({ ...each, replicaIdentity: 'keep' as const })) }
  expect(repaired({}, keep)).toEqual([])
})

it('takes back what makes PostgreSQL refuse statements, and publishes generated columns', () => {
  const virtual = { ...leaf, replicaIdentity: 'f', hasVirtualGeneratedColumn: true }
  expect(repaired({ tables: [parent, virtual] })).toEqual([
    'ALTER TABLE "public"."events_1" REPLICA IDENTITY DEFAULT',
  ])
  const hidden = { ...publication, publishesGenerated: false }
  const stored = { ...leaf, replicaIdentity: 'f', hasStoredGeneratedColumn: true }
  expect(repaired({ tables: [parent, stored], publication: hidden })).toEqual([
    'ALTER PUBLICATION "rowcast" SET (publish_generated_columns = stored)',
  ])
  expect(repaired({ tables: [parent, stored], publication: { ...hidden, isOwned: false } })).toEqual([
    'ALTER TABLE "public"."events_1" REPLICA IDENTITY DEFAULT',
  ])
})

it('sets no partition to what the next look would take back', () => {
  const theirs = { ...publication, isOwned: false, publishesGenerated: false }
  const stored = { ...leaf, hasStoredGeneratedColumn: true }
  expect(repaired({ tables: [parent, stored], publication: theirs })).toEqual([])
})

it('leaves alone a table that inherits from a published one and is not published itself', () => {
  const child = { ...leaf, isPartition: false, isChild: true, hasRowIdentity: false, hasPrimaryKey: false }
  const base = { ...parent, kind: 'r' }
  expect(repaired({ tables: [base, child] })).toEqual([])
  const both = { ...publication, tables: [root, { schema: child.schema, table: child.table }] }
  expect(repaired({ tables: [base, child], publication: both })).toHaveLength(1)
})

describe('rescues the statements of an application', () => {
  const own = { ...leaf, table: 'events', isPartition: false }
  const full = { ...own, replicaIdentity: 'f' }
  const keyless = { hasPrimaryKey: false, uniqueIndex: null }
  const comment = `rowcast: before: ${JSON.stringify({ isMade: true, options: null, added: [], identities: [] })}`
  const ours = { ...publication, comment }
  it.each<[string, TableFacts, string[]]>([
    ['a column list of ours', { ...full, columnListsIn: ['rowcast'] }, ['REPLICA IDENTITY DEFAULT']],
    [
      'a column list of another publication',
      { ...full, columnListsIn: ['theirs'] },
      ['REPLICA IDENTITY DEFAULT'],
    ],
    [
      'another publication that leaves generated columns out',
      { ...full, hasStoredGeneratedColumn: true, generatedHiddenIn: ['theirs'] },
      ['REPLICA IDENTITY DEFAULT'],
    ],
    ['its key is gone', { ...own, hasRowIdentity: false, ...keyless }, ['REPLICA IDENTITY FULL']],
    [
      'its key is gone, and there is an index',
      { ...own, hasRowIdentity: false, hasPrimaryKey: false, uniqueIndex: 'by_id' },
      ['REPLICA IDENTITY USING INDEX "by_id"'],
    ],
    [
      'a virtual column, and no key',
      { ...full, hasVirtualGeneratedColumn: true, ...keyless },
      ['ALTER PUBLICATION "rowcast" DROP TABLE "public"."events"'],
    ],
    [
      'a list without columns of its key, and there is an index',
      { ...full, columnListsIn: ['theirs'], isKeyRefused: true, uniqueIndex: 'by_note' },
      ['REPLICA IDENTITY USING INDEX "by_note"'],
    ],
    [
      'a row filter beyond its key',
      { ...own, isKeyRefused: true, isIdentityRefused: true },
      ['REPLICA IDENTITY FULL'],
    ],
    [
      'lists of others, and nothing that they all have: it is theirs, and the table stays published',
      { ...full, columnListsIn: ['theirs'], isKeyRefused: true },
      [],
    ],
    [
      'a virtual column, but the table is not ours',
      { ...full, hasVirtualGeneratedColumn: true, isOwned: false },
      [],
    ],
  ])('%s', (_what, table, steps) => {
    const found = repaired({ tables: [table], publication: ours })
    expect(found).toEqual(steps.map((each) => expect.stringContaining(each)))
  })

  it('of a table that is no longer published, as long as it has what we set', () => {
    const left = { ...publication, tables: [], named: [] }
    const of = (table: TableFacts) => repaired({ tables: [table], publication: left })
    expect(of({ ...full, columnListsIn: ['theirs'] })).toEqual([
      'ALTER TABLE "public"."events" REPLICA IDENTITY DEFAULT',
    ])
    expect(of({ ...full, hasStoredGeneratedColumn: true, generatedHiddenIn: ['theirs'] })).toHaveLength(1)
    expect(of(full)).toEqual([])
    expect(of({ ...own, isKeyRefused: true, isIdentityRefused: true })).toEqual([])
  })

  it('but leaves alone what the application set itself', () => {
    const keep = {
      ...goal,
      tables: goal.tables.map((each) => ({ ...each, replicaIdentity: 'keep' as const })),
    }
    expect(repaired({ tables: [{ ...full, columnListsIn: ['theirs'] }] }, keep)).toEqual([])
    expect(repaired({ tables: [{ ...own, isKeyRefused: true, isIdentityRefused: true }] }, keep)).toEqual([])
    const other = { ...publication, comment: null }
    expect(
      repaired({ tables: [{ ...full, hasVirtualGeneratedColumn: true, ...keyless }], publication: other }),
    ).toEqual([])
  })
})
