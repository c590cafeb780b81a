/** Results that are kept for others who ask for the same: as many as the bound has room for; what is beyond is made again. */
import { buildSchema, GraphQLError, parse } from 'graphql'
import { expect, test } from 'vitest'
import { Match, Offer } from '../../src/bus/match.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveryGroups } from '../../src/server/delivery/delivery-group.ts'
import { ResultText } from '../../src/server/delivery/result-text.ts'
import { plainChange } from '../support/plain-change.ts'

const RESULTS = 100
/** Nothing is on its way for long. */
const onTheirWay = { make: <Result>(_: object, begin: () => Result) => begin() }
const KIB = 1024

const schema = buildSchema('type Query { a: Int } type Subscription { name: String }')
const args = { schema, document: parse('subscription { name }') }

/** How often results were made that two members asked for, one after the other. */
function countMade(
  nameLength: number,
  keptBytesMax: number,
  { rowBytes = 0, isRelated = false, row = null as object | null } = {},
): number {
  let made = 0
  const groups = createDeliveryGroups({
    ...{ keptBytesMax, isBusy: () => true, guard: createGuard(silentLogger), onTheirWay },
    mask: () => new GraphQLError('masked'),
  })
  const members = [groups.join(args, 'all', true), groups.join(args, 'all', true)]
  const deliveries = Array.from({ length: RESULTS }, (_, id) => {
    const change = plainChange({ model: 'Tag', key: { id }, new: row as never })
    const seen = { transition: null, hidesOld: false, hidesNew: false }
    // What follows relations gives deliveries of its own.
    const delivery = isRelated
      ? { change, ...seen, isLastOfTransaction: true }
      : new Match(new Offer(change, rowBytes, true), seen, false)
    return Object.assign(delivery, {
      name() {
        made += 1
        return 'x'.repeat(nameLength)
      },
    })
  })
  for (const member of members) for (const delivery of deliveries) member.resultOf(delivery, args)
  return made
}

test('each is made once where there is room for all', () => {
  expect(countMade(100, RESULTS * 2 * KIB)).toBe(RESULTS)
})

test('what there is no room for is made again, however short its text: what stands behind it counts', () => {
  expect(countMade(1, 16 * KIB)).toBeGreaterThan(RESULTS * 1.8)
  expect(countMade(10 * KIB, RESULTS * 2 * KIB)).toBeGreaterThan(RESULTS * 1.8)
  expect(countMade(1, RESULTS * 2 * KIB, { rowBytes: 10 * KIB })).toBeGreaterThan(RESULTS * 1.8)
})

test('a change of a subscription that follows relations counts with its rows', () => {
  const related = { isRelated: true, row: { id: 1, name: 'x'.repeat(10 * KIB) } }
  expect(countMade(1, RESULTS * 2 * KIB, related)).toBeGreaterThan(RESULTS * 1.8)
  expect(countMade(1, RESULTS * 2 * KIB, { isRelated: true })).toBe(RESULTS)
})

test('a change whose bytes are known is not decoded to be weighed', () => {
  const change = plainChange({ model: 'Tag', key: { id: 1 } })
  const undecoded = Object.defineProperty({ ...change }, 'old', {
    get: () => {
      throw new Error('It was decoded.')
    },
  })
  const groups = createDeliveryGroups({
    ...{ keptBytesMax: KIB * KIB, isBusy: () => true, guard: createGuard(silentLogger), onTheirWay },
    mask: () => new GraphQLError('masked'),
  })
  const members = [groups.join(args, 'all', true), groups.join(args, 'all', true)]
  const seen = { transition: null, hidesOld: false, hidesNew: false }
  const delivery = new Match(new Offer(undecoded, 10, true), seen, false)
  for (const member of members)
    expect(member.resultOf(Object.assign(delivery, { name: 'ada' }), args)).toBeInstanceOf(ResultText)
})

test('a list that failed for the first of its screens is made again for the next, one that did not is kept', async () => {
  let [made, fails] = [0, true]
  const list = {
    ...{ kind: 'snapshot', shown: {}, cursor: '' },
    name() {
      made += 1
      if (fails) throw new Error('once')
      return 'ada'
    },
  }
  let isBusy = true
  const groups = createDeliveryGroups({
    ...{ keptBytesMax: KIB * KIB, isBusy: () => isBusy, guard: createGuard(silentLogger), onTheirWay },
    mask: () => new GraphQLError('masked'),
  })
  const group = groups.join(args, 'all', true)
  const ask = () => (group.resultOf(list, args) as ResultText).text
  expect(ask()).toContain('masked')
  isBusy = false
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
  await turn()
  fails = false
  expect(ask()).toContain('ada')
  await turn()
  expect(ask()).toContain('ada')
  expect(made).toBe(2)
})
