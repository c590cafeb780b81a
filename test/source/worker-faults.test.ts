/** A worker in which something of rowcast's own fails between two streams: it says so, and goes on. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { silentLogger } from '../../src/logger.ts'
import { createReplicationSource } from '../../src/source/replication-source.ts'

it('what fails while an attempt is judged costs a moment, and neither the process nor the worker', async () => {
  const errorIds: unknown[] = []
  let failures = 1
  const source = createReplicationSource({
    // Nobody listens there.
    target: { host: '127.0.0.1', port: 1, user: 'nobody', database: 'nothing' },
    goal: { tables: [], publication: 'rowcast', slot: 'rowcast' },
    registry: createRelationRegistry({ catalog, models: [catalog.models.Tag] }),
    ...{ onStreamStarted() {}, publish() {}, onPassed() {}, onSeen() {}, onGap() {}, onDrift() {} },
    ...{ onRecovery() {}, onCut() {}, onBlocked() {}, onMessage: () => false },
    softDelete: new Map(),
    logger: { ...silentLogger, error: (_message, fields) => errorIds.push(fields?.['errorId']) },
    ...{ isEnabledOnConnect: false, isBinary: false, retention: { bytes: 0, minutes: 0 } },
    ...{ slotLostPolicy: 'stop', slotBudget: null, isFailover: false },
    ...{ watchIntervalMs: 1_000, stalledAfterMs: 1_000, applicationName: 'rowcast test' },
    random() {
      if (failures-- > 0) throw new TypeError('random is not there')
      return 0
    },
  })
  source.start()
  await expect.poll(() => source.status().failures).toBeGreaterThan(1)
  expect(errorIds).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)])
  await source.stop()
  expect(source.status().state).toBe('stopped')
})
