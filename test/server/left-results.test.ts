/** Results that wait for room, and whose subscriptions are gone by then: nothing is read for them, before a server's end or behind it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { buildSchema, GraphQLError, parse } from 'graphql'
import { expect, test } from 'vitest'
import { NODE_TIMERS } from '../../src/bus/time-slices.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveryGroups } from '../../src/server/delivery/delivery-group.ts'
import { ResultText } from '../../src/server/delivery/result-text.ts'
import { ResultsOnTheirWay } from '../../src/server/delivery/results-on-their-way.ts'
import { createDeferred } from '../support/deferred.ts'

const schema = buildSchema('type Query { a: Int } type Subscription { name: String }')
const args = { schema, document: parse('subscription { name }') }
/** More than are on their way at a time. */
const MANY = 1_000

test.each([
  ['those alone', null],
  ['a group, of which the last one goes', 'all'],
])('of %s: nothing is read', async (_name, audience) => {
  const onTheirWay = new ResultsOnTheirWay({ turns: { wait: () => null }, timers: NODE_TIMERS })
  const groups = createDeliveryGroups({
    ...{ keptBytesMax: 1024 * 1024, isBusy: () => false, guard: createGuard(silentLogger), onTheirWay },
    mask: () => new GraphQLError('masked'),
  })
  const answer = createDeferred<string>()
  const eventOf = (name: () => Promise<string>) => ({ change: {}, transition: null, name })
  const slow = Array.from({ length: MANY }, () => groups.join(args, null, false))
  for (const member of slow)
    member.resultOf(
      eventOf(() => answer.promise),
      args,
    )
  let read = 0
  const count = eventOf(async () => {
    read += 1
    return 'read'
  })
  const [left, alsoLeft, staying] = [audience, audience, 'others'].map((each) =>
    groups.join(args, each, false),
  )
  const results = [left, alsoLeft, staying].map((member) => member?.resultOf({ ...count }, args))
  for (const member of [...slow, left, alsoLeft]) member?.leave()
  answer.resolve('there')
  expect(await results.at(-1)).toBeInstanceOf(ResultText)
  await nextTurn()
  expect(read).toBe(1)
  // Whoever waits for it all the same is not left hanging.
  await Promise.all(results)
})
