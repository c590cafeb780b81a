/** `doctor` decides: facts in, findings out, one row for each code; on real servers: doctor.pg.test.ts. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { FieldSpec, ModelSpec } from '../../../src/catalog/model-catalog.ts'
import type { ColumnFacts, TableLoad } from '../../../src/cli/doctor/doctor-facts.ts'
import type { Examination, Severity } from '../../../src/cli/doctor/examination.ts'
import { FINDING_CODES } from '../../../src/cli/doctor/finding-codes.ts'
import { findAll } from '../../../src/cli/doctor/findings.ts'
import { hostFindings } from '../../../src/cli/doctor/host-findings.ts'
import type { HostState } from '../../../src/cli/doctor/host-states.ts'
import { poolerFindings, providerFindings } from '../../../src/cli/doctor/provider-findings.ts'
import { RowcastError } from '../../../src/errors.ts'
import { SEES_ALL } from '../../../src/source/db/visibility.ts'
import type { SlotState } from '../../../src/source/facts/slot-state.ts'
import type { IdentityFault } from '../../../src/source/setup/table-identities.ts'
import type { WalHolders } from '../../../src/source/slot/wal-holders.ts'
import { toLsn } from '../../../src/wire/lsn.ts'

const users = { schema: 'public', table: 'users' }

const field = (name: string, type: string, more: Partial<FieldSpec> = {}): FieldSpec =>
  ({
    ...{ name, column: name, type, kind: 'scalar', isList: false, isRequired: true, isOmitted: false },
    ...more,
  }) as FieldSpec

const model = {
  ...{ name: 'User', table: 'users', schema: null, primaryKey: ['id'], isOmitted: false },
  fields: [field('id', 'Int'), field('email', 'String'), field('tags', 'String', { isList: true })],
} as unknown as ModelSpec

/** What the catalog says of PostgreSQL's own types; others have an OID of their database. */
const OWN_TYPES: Readonly<Record<string, readonly [oid: number, name: string]>> = {
  integer: [23, 'int4'],
  text: [25, 'text'],
  'text[]': [1009, '_text'],
}

function column(name: string, type: string, isRequired = true): ColumnFacts {
  const own = OWN_TYPES[type]
  if (own !== undefined) {
    return { name, type, typeOid: own[0], base: { schema: 'pg_catalog', name: own[1] }, isRequired }
  }
  const [schema = '', typeName = type] = type.includes('.') ? type.split('.') : ['public', type]
  return { name, type, typeOid: 20_000, base: { schema, name: typeName }, isRequired }
}

const load: TableLoad = {
  ...{ ...users, hasPrimaryKey: true, uniqueIndex: null, maySelect: true, updates: 0, deletes: 0 },
  ...{ statisticsDays: 10, rowBytes: 100, toastBytes: 0, heapBytes: 8192 },
  columns: [column('id', 'integer'), column('email', 'extensions.citext'), column('tags', 'text[]', false)],
}

const table = {
  ...{ ...users, root: users, kind: 'r', persistence: 'p', replicaIdentity: 'f', identityIndex: null },
  ...{
    isOwned: true,
    owner: 'app',
    isPartition: false,
    isChild: false,
    hasRowIdentity: true,
    hasPrimaryKey: true,
    uniqueIndex: null,
  },
  ...{ hasStoredGeneratedColumn: false, hasVirtualGeneratedColumn: false },
  ...{ columnListsIn: [], generatedHiddenIn: [] },
}

const slot: SlotState = {
  ...{ plugin: 'pgoutput', slotType: 'logical', database: 'shop', activePid: 42, activeName: 'rowcast' },
  ...{
    confirmedLsn: toLsn(1n),
    walStatus: 'reserved',
    invalidationReason: null,
    retainedBytes: 1,
    restartBytes: 0,
  },
  ...{ safeWalBytes: null, isFailover: false, isSynced: false },
}

/** Nothing to find. */
const well: Examination = {
  facts: {
    ...{ serverVersion: 180_004, walLevel: 'logical', role: 'app', database: 'shop' },
    ...{ mayReplicate: true, mayCreateInDatabase: true, hasFormerSlot: false, tables: [table] },
    publication: {
      ...{ owner: 'app', isOwned: true, viaPartitionRoot: true, publishesGenerated: true, comment: null },
      ...{ publishesInsert: true, publishesUpdate: true, publishesDelete: true, publishesTruncate: true },
      ...{ tables: [users], named: [users], unidentified: [] },
    },
    slot: { plugin: 'pgoutput', slotType: 'logical', database: 'shop', activePid: 42, walStatus: 'reserved' },
  },
  leftOut: [],
  source: {
    ...{ serverVersion: 180_004, database: 'shop', isInRecovery: false, serverLsn: toLsn(2n) },
    sight: { isVisible: SEES_ALL, xidBound: null },
    ...{
      isSlotWalLimited: true,
      maySnapshot: true,
      mayEmit: true,
      slot,
      publication: { oid: 1, actions: 'iudt' },
    },
    ...{ modelTables: [], identityFaults: [], unpublished: [], skips: [], moneyScale: 2 },
  },
  doctor: {
    server: {
      ...{ version: '18.4', isInRecovery: false, replicationSlotsMax: 10, replicationSlotsUsed: 1 },
      ...{ walSendersMax: 10, walSendersUsed: 1, isSlotWalLimited: true, synchronousCommit: 'on' },
      ...{ walSenderTimeoutMs: 60_000, providerSettings: [], idleSlots: [] },
    },
    tables: [load],
    walHolders: { transactions: [], busiest: { database: 'warehouse', share: 0.98 } },
  },
  refusal: null,
  isPooled: false,
  goal: { tables: [{ model: 'User', ...users }], publication: 'rowcast', slot: 'rowcast', joinTables: [] },
  models: [model],
  addresses: [{ host: 'db.example.com', port: 5432 }],
  senders: [{ host: 'db.example.com', port: 5432 }],
  hosts: [],
  queryRole: 'app',
  answered: new Set<string>(),
  enums: {},
}

const withFacts = (facts: Partial<Examination['facts']>): Examination => ({
  ...well,
  facts: { ...well.facts, ...facts },
})
const withServer = (server: Partial<Examination['doctor']['server']>): Examination => ({
  ...well,
  doctor: { ...well.doctor, server: { ...well.doctor.server, ...server } },
})
const withLoad = (more: Partial<TableLoad>): Examination => ({
  ...well,
  doctor: { ...well.doctor, tables: [{ ...load, ...more }] },
})
const kept = (replicaIdentity: string): Examination => ({
  ...withFacts({ tables: [{ ...table, replicaIdentity }] }),
  goal: { ...well.goal, tables: [{ model: 'User', ...users, replicaIdentity: 'keep' }] },
})
const withIdentity = (kind: IdentityFault['kind'], more: Partial<IdentityFault> = {}): Examination => {
  const identityFaults = [
    {
      ...{ model: 'User', schema: 'public', table: 'users_1', kind },
      ...{ isFull: kind !== 'filter', publication: 'rowcast', otherRefusal: null, ...more },
    },
  ]
  return { ...well, source: { ...well.source, identityFaults } }
}
const GIB = 1024 ** 3
const open = {
  xid: '900',
  pid: 7,
  applicationName: 'app',
  database: 'shop',
  state: 'active',
  seconds: 60,
  gid: null,
}
const held = (walHolders: Partial<WalHolders>, restartBytes = GIB / 2): Examination => ({
  ...well,
  source: { ...well.source, slot: { ...(well.source.slot as SlotState), restartBytes } },
  doctor: { ...well.doctor, walHolders: { ...well.doctor.walHolders, ...walHolders } },
})

const TABLE: readonly (readonly [string, Examination, Severity, string, RegExp])[] = [
  ['no slot', withFacts({ slot: null }), 'advice', 'SETUP_PENDING', /pg_create_logical_replication_slot/],
  [
    'wal_level',
    withFacts({ walLevel: 'replica' }),
    'error',
    'SOURCE_WAL_LEVEL',
    /ALTER SYSTEM SET wal_level/,
  ],
  [
    'no right',
    withFacts({ mayReplicate: false }),
    'error',
    'SOURCE_NO_REPLICATION_RIGHT',
    /ALTER ROLE "app"/,
  ],
  [
    'a table of another owner',
    withFacts({ tables: [{ ...table, replicaIdentity: 'd', isOwned: false, owner: 'dba' }] }),
    ...(['error', 'SOURCE_NOT_OWNER', /REPLICA IDENTITY FULL/] as const),
  ],
  ['no table', withFacts({ tables: [] }), 'error', 'SOURCE_TABLE_MISSING', /migrate/],
  [
    'a slot given up',
    { ...well, source: { ...well.source, slot: { ...slot, walStatus: 'lost' } } },
    ...(['error', 'SOURCE_SLOT_INVALIDATED', /max_slot_wal_keep_size/] as const),
  ],
  [
    'a pooler’s port',
    {
      ...well,
      refusal: new RowcastError('SOURCE_CONNECTION_LOST', 'No.'),
      // Also behind another host.
      senders: [
        { host: 'db.example.com', port: 5432 },
        { host: 'h', port: 6432 },
      ],
    },
    ...(['error', 'POOLER', /direct address/] as const),
  ],
  [
    'a pooler that its sessions show',
    { ...well, isPooled: true, refusal: new RowcastError('SOURCE_CONNECTION_LOST', 'No.') },
    ...(['error', 'POOLER', /direct address/] as const),
  ],
  [
    'a new partition',
    withIdentity('partial'),
    ...([
      'warning',
      'SOURCE_IDENTITY_NOT_FULL',
      /ALTER TABLE "public"."users_1" REPLICA IDENTITY FULL/,
    ] as const),
  ],
  [
    'no index any more',
    withIdentity('none'),
    ...(['error', 'SOURCE_IDENTITY_MISSING', /primary key/] as const),
  ],
  [
    'a virtual column',
    withIdentity('virtual'),
    ...(['error', 'SOURCE_IDENTITY_CONFLICT', /REPLICA IDENTITY DEFAULT; at once/] as const),
  ],
  [
    'a generated column',
    withIdentity('generated'),
    ...(['error', 'SOURCE_IDENTITY_CONFLICT', /publish_generated_columns = stored/] as const),
  ],
  [
    'a column list',
    withIdentity('columns'),
    ...([
      'error',
      'SOURCE_IDENTITY_CONFLICT',
      /Publish all of its columns in "rowcast".*REPLICA IDENTITY DEFAULT/,
    ] as const),
  ],
  [
    'a row filter of somebody else',
    withIdentity('filter', { publication: 'theirs' }),
    ...([
      'error',
      'SOURCE_IDENTITY_CONFLICT',
      /columns of its key alone in "theirs".*REPLICA IDENTITY FULL/,
    ] as const),
  ],
  [
    'a list and a row filter that nothing serves',
    withIdentity('columns', {
      publication: 'theirs',
      otherRefusal: { kind: 'filter', publication: 'filters' },
    }),
    ...(['error', 'SOURCE_IDENTITY_CONFLICT', /^Publish all of its columns in "theirs"\.$/] as const),
  ],
  [
    'keys alone, as a virtual column forbids more',
    withIdentity('partial', { isFull: false, otherRefusal: { kind: 'virtual', publication: 'rowcast' } }),
    ...(['warning', 'SOURCE_IDENTITY_NOT_FULL', /^Make the column STORED\. Then run/] as const),
  ],
  [
    'a pooler nobody notified of',
    { ...well, refusal: new RowcastError('SOURCE_CONNECTION_LOST', 'No.') },
    ...(['error', 'REPLICATION_REFUSED', /direct address/] as const),
  ],
  ['version', withFacts({ serverVersion: 130_010 }), 'error', 'POSTGRES_TOO_OLD', /Upgrade/],
  ['a standby', withServer({ isInRecovery: true }), 'warning', 'POSTGRES_IS_STANDBY', /primary/],
  [
    'no sender left',
    {
      ...withServer({ walSendersUsed: 10 }),
      facts: { ...well.facts, slot: well.facts.slot && { ...well.facts.slot, activePid: null } },
    },
    ...(['error', 'NO_SENDER_LEFT', /max_wal_senders = 20/] as const),
  ],
  ['no limit', withServer({ isSlotWalLimited: false }), 'warning', 'SLOT_WAL_UNLIMITED', /slotBudget/],
  ['late commits', withServer({ synchronousCommit: 'off' }), 'advice', 'SYNCHRONOUS_COMMIT_OFF', /SET LOCAL/],
  ['impatience', withServer({ walSenderTimeoutMs: 1_000 }), 'warning', 'SENDER_TIMEOUT_SHORT', /60s/],
  [
    'our slot, unread',
    withServer({ idleSlots: [{ name: 'rowcast', retainedBytes: 2 * GIB }] }),
    ...(['warning', 'SLOT_UNREAD', /rowcast disable/] as const),
  ],
  [
    "another's slot, unread",
    withServer({ idleSlots: [{ name: "o'slot", retainedBytes: null }] }),
    ...(['advice', 'SLOT_IDLE', /'o''slot'/] as const),
  ],
  [
    'WAL that nobody holds any more',
    held({}),
    ...(['advice', 'SLOT_WAL_HELD', /pg_log_standby_snapshot/] as const),
  ],
  [
    'WAL held for a session that does nothing',
    held({ transactions: [{ ...open, state: 'idle in transaction' }] }),
    ...(['advice', 'SLOT_WAL_HELD', /pg_terminate_backend\(7\)/] as const),
  ],
  [
    'WAL held for a prepared transaction',
    held({ transactions: [{ ...open, pid: null, state: 'prepared', gid: 'g' }] }, 2 * GIB),
    ...(['warning', 'SLOT_WAL_HELD', /ROLLBACK PREPARED/] as const),
  ],
  [
    'no right to read',
    withLoad({ maySelect: false }),
    'warning',
    'NO_SELECT',
    /GRANT SELECT ON "public"."users"/,
  ],
  ['no key', withLoad({ hasPrimaryKey: false }), 'warning', 'NO_PRIMARY_KEY', /@id/],
  ['a cheap identity', withLoad({ updates: 1_000 }), 'advice', 'IDENTITY_COST', /price/],
  ['a dear identity', withLoad({ updates: 2e8, deletes: 1e7 }), 'warning', 'IDENTITY_COST', /'keep'/],
  ['keep', kept('d'), 'advice', 'OLD_NOT_SENT', /rowcast enable/],
  ['keep, but full', kept('f'), 'advice', 'IDENTITY_NOT_NEEDED', /REPLICA IDENTITY DEFAULT/],
  [
    'large values',
    withLoad({ toastBytes: 9e6, heapBytes: 1e6 }),
    'warning',
    'TOAST_HEAVY',
    /table of their own/,
  ],
  [
    'join tables',
    { ...well, goal: { ...well.goal, joinTables: [{ schema: 'public', table: '_PostToTag' }] } },
    ...(['advice', 'JOIN_TABLES', /explicit/] as const),
  ],
  [
    'tables of nobody',
    withFacts({
      publication: well.facts.publication && {
        ...well.facts.publication,
        tables: [users, { schema: 'public', table: 'logs' }],
      },
    }),
    ...(['advice', 'PUBLISHED_UNUSED', /DROP TABLE "public"."logs"/] as const),
  ],
  ['a column gone', withLoad({ columns: load.columns.slice(1) }), 'error', 'CATALOG_DRIFT', /migrate deploy/],
  [
    'a column of another type',
    withLoad({ columns: [column('id', 'text'), ...load.columns.slice(1)] }),
    ...(['error', 'CATALOG_DRIFT', /prisma generate/] as const),
  ],
  [
    'a list that is none',
    withLoad({ columns: [...load.columns.slice(0, 2), column('tags', 'text')] }),
    ...(['error', 'CATALOG_DRIFT', /prisma generate/] as const),
  ],
  [
    'a column that may be NULL',
    withLoad({ columns: [column('id', 'integer', false), ...load.columns.slice(1)] }),
    ...(['warning', 'NULLABLE_COLUMN', /SET NOT NULL/] as const),
  ],
]

describe('doctor', () => {
  it('finds nothing where all is well', () => {
    expect(findAll(well)).toEqual([])
  })

  it.each(['time_slot', 'dates', 'app.timestamp_kind'])(
    'takes %s for a type of the database, not for a time',
    (type) => {
      const [id = column('id', 'integer'), , ...rest] = load.columns
      expect(findAll(withLoad({ columns: [id, column('email', type), ...rest] }))).toEqual([])
    },
  )

  it.each(TABLE)('finds %s', (_name, examination, severity, code, hint) => {
    const findings = findAll(examination)
    expect(findings.map((finding) => [finding.severity, finding.code])).toEqual([[severity, code]])
    expect([findings[0]?.hint, ...(findings[0]?.statements ?? [])].join(' ')).toMatch(hint)
    expect(findings[0]?.why).not.toMatch(/undefined|NaN|\[object|Hint:/)
  })

  it('finds that no slot is left where one is needed, and shows the worst first', () => {
    const full = { ...withServer({ replicationSlotsUsed: 10 }), facts: { ...well.facts, slot: null } }
    expect(findAll(full).map(({ code }) => code)).toEqual(['NO_SLOT_LEFT', 'SETUP_PENDING'])
  })

  it('says what FULL costs, from the table’s statistics', () => {
    const [cost] = findAll(withLoad({ updates: 9e7, deletes: 1e7, rowBytes: 1024, statisticsDays: 10 }))
    expect(cost?.why).toBe(
      'REPLICA IDENTITY FULL of "public"."users" adds about 9.5 GiB of WAL a day (rows of 1024 bytes, 100000000 updates and deletes in 10 days).',
    )
  })

  it.each([
    ['x.abc.us-east-1.rds.amazonaws.com', 'PROVIDER_RDS'],
    ['ep-cool-name-123.eu-central-1.aws.neon.tech', 'PROVIDER_NEON'],
    ['db.abcdefgh.supabase.co', 'PROVIDER_SUPABASE'],
    ['shop.postgres.database.azure.com', 'PROVIDER_AZURE'],
  ])('knows %s', (host, code) => {
    expect(providerFindings([{ host, port: 5432 }], []).map((finding) => finding.code)).toEqual([code])
  })

  it.each([
    ['rds.logical_replication', 'PROVIDER_RDS'],
    ['cloudsql.logical_decoding', 'PROVIDER_CLOUD_SQL'],
    ['azure.extensions', 'PROVIDER_AZURE'],
    ['neon.timeline_id', 'PROVIDER_NEON'],
  ])('knows the place by the setting %s', (name, code) => {
    const found = providerFindings([{ host: '10.0.0.1', port: 5432 }], [{ name, setting: 'on' }])
    expect(found.map((finding) => finding.code)).toEqual([code])
  })

  it.each([
    ['ep-cool-name-123-pooler.eu-central-1.aws.neon.tech', 5432, 1],
    ['aws-0-eu-central-1.pooler.supabase.com', 5432, 1],
    ['db.abcdefgh.supabase.co', 6543, 1],
    ['shop.proxy-abc123.us-east-1.rds.amazonaws.com', 5432, 1],
    ['10.0.0.1', 6432, 1],
    ['db.example.com', 6543, 0],
    ['db.abcdefgh.supabase.co', 5432, 0],
  ])('judges whether %s:%i is a pooler', (host, port, count) => {
    expect(poolerFindings([{ host, port }])).toHaveLength(count)
  })

  it('names the hosts of poolers among several, or all where a pooler is one of them', () => {
    const [a, b] = [
      { host: 'a', port: 5432 },
      { host: 'b', port: 6432 },
    ]
    expect(poolerFindings([a, b], true).map(({ why }) => why)).toEqual([expect.stringMatching(/^b:6432 is/)])
    expect(poolerFindings([a, a], true).map(({ why }) => why)).toEqual([
      expect.stringMatching(/^a:5432,a:5432 is/),
    ])
    expect(poolerFindings([a, a])).toEqual([])
  })

  it('says what each of several hosts means for a failover', () => {
    const copied = { ...slot, isSynced: true }
    const host = (name: string, more: object) => ({
      ...{
        server: { host: name, port: 5432 },
        refusal: null,
        isInRecovery: true,
        walLevel: 'logical',
        slot: copied,
      },
      ...more,
    })
    const codesOf = (...hosts: readonly HostState[]) =>
      hostFindings({ ...well, hosts }).map(({ code, severity, why }) => [code, severity, why.split(' ')[0]])
    const primary = host('a', { isInRecovery: false })
    expect(codesOf(primary, host('b', {}))).toEqual([])
    expect(codesOf(primary, host('b', { isInRecovery: false }))).toEqual([
      ['SEVERAL_PRIMARIES', 'warning', 'a:5432,b:5432'],
    ])
    for (const more of [{ slot: null }, { slot }, { walLevel: 'replica' }])
      expect(codesOf(primary, host('b', more))).toEqual([['STANDBY_LACKS_SLOT', 'advice', 'b:5432']])
    const refusal = new RowcastError('SOURCE_CONNECTION_REFUSED', 'Nobody listens.')
    expect(codesOf(primary, { ...host('b', {}), refusal })).toEqual([
      ['HOST_UNREACHABLE', 'warning', 'b:5432'],
    ])
  })

  it('advises no failover of a slot on a standby, and calls what the primary has under its name idle', () => {
    const standby = {
      ...{ isInRecovery: true, serverVersion: 180_004, hasFeedback: true },
      primary: { systemId: '7', timeline: 1 },
    }
    const source = { ...well.source, isAlone: false, standby }
    const host = {
      server: { host: 'b', port: 5432 },
      refusal: null,
      isInRecovery: true,
      walLevel: 'logical',
      slot: null,
    }
    expect(hostFindings({ ...well, source, hosts: [host] })).toEqual([])
    const idle = withServer({ idleSlots: [{ name: well.goal.slot, retainedBytes: 4096 }] })
    const codesOf = (examination: typeof idle) => findAll(examination).map(({ code }) => code)
    expect(codesOf(idle)).toEqual(['SLOT_UNREAD'])
    expect(codesOf({ ...idle, source })).toEqual(['SLOT_IDLE'])
  })

  it('warns of a standby whose slot the primary may take the ground from', () => {
    const standby = {
      ...{ isInRecovery: true, serverVersion: 180_004, hasFeedback: false },
      primary: { systemId: '7', timeline: 1 },
    }
    const codesOf = (more: object) =>
      findAll({ ...well, source: { ...well.source, isAlone: false, standby: { ...standby, ...more } } }).map(
        ({ code }) => code,
      )
    expect(codesOf({})).toContain('STANDBY_FEEDBACK_OFF')
    for (const more of [{ hasFeedback: true }, { isInRecovery: false }])
      expect(codesOf(more)).not.toContain('STANDBY_FEEDBACK_OFF')
    expect(codesOf({ serverVersion: 150_000 })).toContain('SOURCE_STANDBY_UNSUPPORTED')
  })

  it('names models that have nothing to show', () => {
    const found = findAll({ ...well, leftOut: ['Vault'] })
    expect(found.map(({ code, severity, model }) => [code, severity, model])).toContainEqual([
      'MODEL_NOT_SHOWN',
      'warning',
      'Vault',
    ])
  })

  it('has every code in the documentation, and no other', () => {
    const page = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.*) \|$/gm)].map(([, code, means]) => [code, means])
    expect(rows).toEqual(Object.entries(FINDING_CODES))
  })

  it('has a test for every code', () => {
    const text = readFileSync(import.meta.filename, 'utf8')
    const missing = Object.keys(FINDING_CODES).filter((code) => !text.includes(`'${code}'`))
    expect(missing).toEqual([])
  })
})

it('names the standby where it is the one that refuses replication, and not its primary', () => {
  const refusal = new RowcastError('SOURCE_CONNECTION_LOST', 'No.')
  const senders = [{ host: 'standby.example.com', port: 5433 }]
  const whyOf = (isPooled: boolean) =>
    findAll({ ...well, refusal, senders, isPooled }).flatMap(({ code, why }) =>
      ['REPLICATION_REFUSED', 'POOLER'].includes(code) ? [why] : [],
    )
  expect(whyOf(false)).toEqual([
    expect.stringMatching(/^standby\.example\.com:5433 answers SQL, but refuses/),
  ])
  expect(whyOf(true)).toEqual([expect.stringMatching(/^standby\.example\.com:5433 is the address of a/)])
})

it.each(['SOURCE_AUTHENTICATION_FAILED', 'SOURCE_PERMISSION_DENIED', 'SOURCE_TOO_MANY_CONNECTIONS'] as const)(
  '%s is what PostgreSQL itself refuses with, also behind a pooler that passes replication',
  (code) => {
    const senders = [{ host: 'ep-1-pooler.neon.tech', port: 6432 }]
    const refusal = new RowcastError(code, 'No.', { hint: 'What helps.' })
    const found = findAll({ ...well, refusal, senders, isPooled: true })
    expect(found.map((each) => [each.code, each.hint])).toEqual([['REPLICATION_REFUSED', 'What helps.']])
  },
)

it('names tables with row level security that nobody answers for', () => {
  const at = (rowSecurityExempt: readonly string[] | null, answered: readonly string[] = []) => {
    const state = { model: 'User', ...users, doesExist: true, isPublished: true, unpublishedColumns: [] }
    const source = {
      ...well.source,
      modelTables: [{ ...state, rowSecurityExempt, published: null, isOlderThanSlot: true }],
    }
    const found = findAll({ ...well, source, answered: new Set(answered) })
    return found.map(({ code, severity }) => [code, severity])
  }
  expect(at(null)).toEqual([])
  expect(at(['postgres'])).toEqual([['SOURCE_ROW_SECURITY', 'warning']])
  expect(at(['app'])).toEqual([['ROW_SECURITY_EXEMPT', 'advice']])
  expect(at(['postgres'], ['User'])).toEqual([])
})
