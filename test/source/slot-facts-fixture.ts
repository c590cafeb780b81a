/** Facts of a slot, a publication and a server that are as they should be. */
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import type { SlotState } from '../../src/source/facts/slot-state.ts'
import type { SourceFacts } from '../../src/source/slot/slot-facts.ts'
import { toLsn } from '../../src/wire/lsn.ts'

export const GOAL = {
  slot: 'rowcast',
  publication: 'rowcast',
  tables: [{ model: 'User', schema: 'public', table: 'users' }],
}

export const SLOT: SlotState = {
  plugin: 'pgoutput',
  slotType: 'logical',
  database: 'shop',
  activePid: null,
  activeName: null,
  confirmedLsn: toLsn(1n),
  walStatus: 'reserved',
  invalidationReason: null,
  retainedBytes: 100,
  restartBytes: 0,
  safeWalBytes: null,
  isFailover: false,
  isSynced: false,
}

export const FACTS: SourceFacts = {
  serverVersion: 180_000,
  database: 'shop',
  isInRecovery: false,
  serverLsn: toLsn(2n),
  sight: { isVisible: SEES_ALL, xidBound: null },
  isSlotWalLimited: true,
  maySnapshot: false,
  mayEmit: true,
  slot: SLOT,
  publication: { oid: 1, actions: 'iudt' },
  modelTables: [],
  identityFaults: [],
  moneyScale: 2,
  unpublished: [],
  skips: [],
}
