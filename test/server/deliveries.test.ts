/** What cannot be begun leaves nothing behind. */
import { buildSchema, GraphQLError, parse } from 'graphql'
import { expect, test } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { setAudience } from '../../src/graphql/audience.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveries } from '../../src/server/delivery/deliveries.ts'

test('a subscription whose variables are nested too deeply is ended, and not only refused', async () => {
  const bus = createMemoryBus()
  const schema = buildSchema(`
    scalar Any
    type Query { a: Int }
    type Change { count(of: Any): Int }
    type Subscription { changed: Change }
  `)
  const field = schema.getSubscriptionType()?.getFields()['changed']
  if (field === undefined) throw new Error('There is no such field.')
  field.subscribe = () => {
    const subscription = bus.subscribe({ model: 'User' })
    setAudience(subscription, 'all')
    return subscription
  }
  const deliveries = createDeliveries({
    guard: createGuard(silentLogger),
    mask: () => new GraphQLError('masked'),
  })
  const depth = 100_000
  const subscribing = deliveries.subscribe({
    schema,
    document: parse('subscription ($of: Any) { changed { count(of: $of) } }'),
    variableValues: { of: JSON.parse('['.repeat(depth) + ']'.repeat(depth)) },
  })
  await expect(subscribing).rejects.toThrow(RangeError)
  expect(bus.subscriptionCounts.get('User')).toBe(0)
})
