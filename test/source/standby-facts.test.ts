/** What a standby and its primary are to each other, by what they say; on real servers: standby.pg.test.ts. */
import { expect, it } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withStandby } from '../../src/source/db/standby-address.ts'
import { resolveDurability } from '../../src/source/durability-options.ts'
import type { StandbyState } from '../../src/source/facts/standby-state.ts'
import {
  judgeStandby,
  judgeStandbyDrift,
  judgeStandbyIdentity,
} from '../../src/source/facts/standby-verdict.ts'

const state: StandbyState = {
  ...{ isInRecovery: true, serverVersion: 160_000, hasFeedback: true },
  primary: { systemId: '7', timeline: 1 },
}
const identity = { systemId: '7', timeline: 1 }

it('a standby of PostgreSQL 16 or later, beside its primary, can have the slot', () => {
  expect(judgeStandby(state)).toBe(null)
  expect(judgeStandby({ ...state, serverVersion: 150_009 })?.code).toBe('SOURCE_STANDBY_UNSUPPORTED')
  const swapped = { ...state, primary: { systemId: '7', timeline: null } }
  expect(judgeStandby(swapped)).toMatchObject({
    code: 'SOURCE_STANDBY_SERVER',
    hint: expect.stringContaining('DATABASE_URL name the primary'),
  })
})

it('sends what the primary writes as long as both are of one cluster, on one timeline', () => {
  expect(judgeStandbyIdentity(state, identity)).toBe(null)
  for (const other of [{ systemId: '8' }, { timeline: 2 }])
    expect(judgeStandbyIdentity(state, { ...identity, ...other })?.code).toBe('SOURCE_STANDBY_MISMATCH')
})

it('ends with a promotion, of itself or of another', () => {
  expect(judgeStandbyDrift(state, { ...state, hasFeedback: false })).toBe(null)
  expect(judgeStandbyDrift(state, { ...state, identity })).toBe(null)
  const others: readonly StandbyState[] = [
    // It follows another standby, which was promoted: it is one still, and its primary is unchanged.
    { ...state, identity: { ...identity, timeline: 2 } },
    { ...state, isInRecovery: false },
    { ...state, primary: { systemId: '7', timeline: 2 } },
    { ...state, primary: { systemId: '8', timeline: 1 } },
  ]
  for (const other of others) expect(judgeStandbyDrift(state, other)?.code).toBe('SOURCE_STANDBY_MISMATCH')
})

const primary = parseConnectionTarget('postgresql://app:secret@a:5432/shop')

it('has an address of one server and the same database', () => {
  expect(withStandby(primary, undefined)).toBe(primary)
  const { standby, ...same } = withStandby(primary, 'postgresql://reader:secret@b:5433/shop')
  expect(same).toEqual(primary)
  expect(standby).toMatchObject({ host: 'b', port: 5433, user: 'reader', database: 'shop' })
  for (const url of ['postgresql://app:secret@b,c/shop', 'postgresql://app:secret@b/other', 'b:5432'])
    expect(() => withStandby(primary, url)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_BAD_DATABASE_URL',
        message: expect.not.stringContaining('secret'),
      }),
    )
})

it('has a slot that follows no failover', () => {
  const refused = expect.objectContaining({ code: 'CONFIG_BAD_FIELD' })
  const replicationUrl = 'postgresql://app@b/shop'
  expect(() => resolveDurability({ failover: true, replicationUrl })).toThrow(refused)
  expect(resolveDurability({ replicationUrl }).isFailover).toBe(false)
})
