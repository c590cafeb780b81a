/** A gateway in which something of rowcast's own fails between two connections: it says so, and goes on. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { systemRuntime } from '../../src/broker/broker-runtime.ts'
import { EpochStore } from '../../src/broker/epoch-store.ts'
import { createGateway, type GatewayOptions } from '../../src/broker/gateway.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { RowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'

it('what fails while an attempt is judged costs a moment, and neither the process nor the gateway', async () => {
  const errorIds: unknown[] = []
  let faults = 1
  const gateway = createGateway({
    // Of what reads the stream nothing is asked: Redis is away.
    ...({} as GatewayOptions),
    engine: {
      followMs: 1,
      open: async () => {
        throw new RowcastError('BROKER_UNREACHABLE', 'Redis is away.')
      },
    },
    ...{ slot: 'slot', store: new EpochStore(null, 'slot'), readSystemId: async () => '7' },
    registry: createRelationRegistry({ catalog, models: [catalog.models.Tag] }),
    logger: { ...silentLogger, error: (_message, fields) => errorIds.push(fields?.['errorId']) },
    runtime: {
      ...systemRuntime,
      random() {
        if (faults-- > 0) throw new TypeError('random is not there')
        return 0
      },
    },
  })
  gateway.start()
  await expect.poll(() => gateway.status().failures).toBeGreaterThan(1)
  expect(errorIds).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)])
  await gateway.stop()
})
