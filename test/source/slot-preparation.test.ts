import { describe, expect, it } from 'vitest'
import { type PrepareRequest, prepareStream } from '../../src/source/session/slot-preparation.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import type { ReplicationConnection } from '../../src/wire/replication-connection.ts'

const SLOT = {
  plugin: 'pgoutput',
  slot_type: 'logical',
  database: 'shop',
  active_pid: null,
  confirmed_flush_lsn: '0/64',
  wal_status: 'reserved',
  retained_bytes: 1000,
}
const FACTS = {
  serverVersion: 170_000,
  database: 'shop',
  isInRecovery: false,
  serverLsn: '0/C8',
  isSlotWalLimited: true,
  slot: SLOT,
  publication: { oid: 1, actions: 'iudt' },
  skips: [],
}

const USERS = { model: 'User', schema: 'public', table: 'users', isPublished: true, published: null }

/** A connection whose server answers with the facts, one after the other; `asked` is what it was asked. */
function connect(...answers: readonly object[]) {
  const asked: string[] = []
  const left = [...answers]
  const connection: ReplicationConnection = {
    closed: new Promise(() => {}),
    serverPid: 1,
    identify: async () => ({ systemId: '7', timeline: 2, flushedLsn: toLsn(200n) }),
    async query<Row extends object>(text: string) {
      asked.push(text)
      if (text.startsWith('TIMELINE_HISTORY')) return [{ content: '1\t0/96\tpromoted\n' }] as unknown as Row[]
      if (text.includes('unpublishedColumns')) return [USERS] as unknown as Row[]
      if (!text.includes('max_slot_wal_keep_size')) return []
      return [left.length > 1 ? left.shift() : left[0]] as unknown as Row[]
    },
    startStream: async () => {},
    sendStatus() {},
    pause() {},
    resume() {},
    abort() {},
    close: async () => {},
  }
  return { connection, asked }
}

const REQUEST: PrepareRequest = {
  goal: {
    slot: 'rowcast',
    publication: 'rowcast',
    tables: [{ model: 'User', schema: 'public', table: 'users' }],
  },
  past: null,
  budget: null,
  isFailover: false,
  onStandby() {},
}

describe('prepareStream', () => {
  it('begins a process where the slot stands', async () => {
    const prepared = await prepareStream(connect(FACTS).connection, REQUEST)
    expect(prepared.continuity).toEqual({ kind: 'first', floorLsn: 100n })
  })

  it('makes the slot follow failovers where it does not yet, and only from PostgreSQL 17 on', async () => {
    const fresh = connect(FACTS)
    await prepareStream(fresh.connection, { ...REQUEST, isFailover: true })
    expect(fresh.asked).toContain('ALTER_REPLICATION_SLOT "rowcast" (FAILOVER true)')
    const done = connect({ ...FACTS, slot: { ...SLOT, failover: true } })
    await prepareStream(done.connection, { ...REQUEST, isFailover: true })
    expect(done.asked.join()).not.toContain('ALTER_REPLICATION_SLOT')
    const old = connect({ ...FACTS, serverVersion: 160_004 })
    await expect(prepareStream(old.connection, { ...REQUEST, isFailover: true })).rejects.toMatchObject({
      code: 'SOURCE_FAILOVER_UNSUPPORTED',
    })
  })

  it('asks for the history of a timeline it does not know, and goes on by it', async () => {
    const { connection, asked } = connect(FACTS)
    const past = { systemId: '7', timeline: 1, safeLsn: toLsn(140n), deliveredLsn: toLsn(120n) }
    const prepared = await prepareStream(connection, { ...REQUEST, past })
    expect(asked).toContain('TIMELINE_HISTORY 2')
    expect(prepared.continuity).toEqual({ kind: 'continuous', floorLsn: 140n, sharedLsn: 150n })
  })

  it('stands by while another process reads the slot, naming it', async () => {
    const taken = { ...FACTS, slot: { ...SLOT, active_pid: 77, active_name: 'rowcast: other' } }
    const reported: string[] = []
    await prepareStream(connect(taken, FACTS).connection, {
      ...REQUEST,
      onStandby: (error) => reported.push(error.message),
    })
    expect(reported).toHaveLength(1)
    expect(reported[0]).toContain('Process 77 ("rowcast: other") reads slot "rowcast"')
  })

  it('waits for a standby that was started again and has not come to where it was; what has another timeline is a gap', async () => {
    const past = { systemId: '7', timeline: 2, safeLsn: toLsn(300n), deliveredLsn: toLsn(290n) }
    const prepare = (more: object, timeline = 2) =>
      prepareStream(connect({ ...FACTS, ...more }).connection, { ...REQUEST, past: { ...past, timeline } })
    await expect(prepare({ isInRecovery: true })).rejects.toMatchObject({ code: 'SOURCE_STANDBY_BEHIND' })
    const gap = { continuity: { kind: 'gap', reason: 'server-behind' } }
    expect(await prepare({})).toMatchObject(gap)
    expect(await prepare({ isInRecovery: true }, 1)).toMatchObject({ continuity: { kind: 'gap' } })
  })

  it.each([
    ['where the stream goes on', 140n, 'known'],
    ['not where an earlier stretch begins once more', 300n, null],
    ['not where nothing is known of how far it came', null, null],
  ] as const)('takes what the stream’s writer knew of tables %s', async (_title, safeLsn, isKnown) => {
    const known = { models: new Set(['User']), verified: new Map() }
    const at = { systemId: '7', timeline: 2, deliveredLsn: toLsn(120n) }
    const past = safeLsn === null ? null : { ...at, safeLsn: toLsn(safeLsn) }
    const prepared = await prepareStream(connect(FACTS).connection, {
      ...REQUEST,
      readPast: async () => ({ past, known }),
    })
    expect(prepared.known).toBe(isKnown === null ? null : known)
  })

  it('refuses a slot beyond its budget', async () => {
    await expect(
      prepareStream(connect(FACTS).connection, { ...REQUEST, budget: { bytes: 999 } }),
    ).rejects.toMatchObject({ code: 'SOURCE_SLOT_OVER_BUDGET' })
  })
})
