/** Which models wait behind a transaction that cannot be read, and when they no longer do. */
import { describe, expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import type { Continuity } from '../../src/source/published/continuity.ts'
import { BlockedModels } from '../../src/source/session/blocked-models.ts'
import type { PreparedStream } from '../../src/source/session/slot-preparation.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const FAILING = toLsn(0x200n)
const BEHIND = toLsn(0x201n)

function blockTwice() {
  let waiting: readonly string[] = []
  const blocked = new BlockedModels({
    onTables() {},
    onBlocked: (models) => {
      waiting = [...models.keys()]
    },
    onCut() {},
  })
  const error = new RowcastError('SOURCE_ROW_UNREADABLE', 'It is not.', { details: { commitLsn: '0/200' } })
  blocked.find(error, ['Post'])
  blocked.find(error, ['Post'])
  return { blocked, waiting: () => waiting }
}

function preparedAt(continuity: Continuity): PreparedStream {
  return { continuity, facts: { skips: [BEHIND] } } as unknown as PreparedStream
}

const start = { floorLsn: toLsn(0x100n) }
const gap = (reason: 'delivery-failed' | 'slot-recreated'): Continuity => ({ kind: 'gap', reason, ...start })

describe('a blocked model', () => {
  it.each<[string, Continuity]>([
    ['goes on', { kind: 'continuous', ...start }],
    ['was torn', gap('delivery-failed')],
  ])('is passed over where the stream %s and a mark says so', (_, continuity) => {
    const { blocked, waiting } = blockTwice()
    expect(waiting()).toEqual(['Post'])
    expect(blocked.passOver(preparedAt(continuity), toLsn(0n))?.continuity.floorLsn).toBe(BEHIND)
    blocked.giveUp()
    expect(waiting()).toEqual([])
  })

  it('is not passed over while a broker may lack what came before it', () => {
    const { blocked } = blockTwice()
    const whole = toLsn(0x180n)
    expect(blocked.passOver(preparedAt({ kind: 'continuous', ...start }), whole)).toBeNull()
    expect(blocked.passOver(preparedAt(gap('delivery-failed')), whole)).not.toBeNull()
  })

  it('waits no longer after a gap', () => {
    const { blocked, waiting } = blockTwice()
    expect(blocked.passOver(preparedAt(gap('slot-recreated')), toLsn(0n))).toBeNull()
    expect(waiting()).toEqual([])
  })

  it('waits no longer where a server has taken over that never got the transaction', () => {
    const { blocked, waiting } = blockTwice()
    const promoted: Continuity = { kind: 'continuous', ...start, sharedLsn: BEHIND }
    expect(blocked.passOver(preparedAt(promoted), toLsn(0n))).not.toBeNull()
    expect(waiting()).toEqual(['Post'])
    expect(blocked.passOver(preparedAt({ ...promoted, sharedLsn: FAILING }), toLsn(0n))).toBeNull()
    expect(waiting()).toEqual([])
  })

  it('waits until something that commits later has come', () => {
    const { blocked, waiting } = blockTwice()
    blocked.reaches(FAILING)
    expect(waiting()).toEqual(['Post'])
    blocked.reaches(BEHIND)
    expect(waiting()).toEqual([])
  })
})
