/** What a client hears of a result that could not be made. */
import { GraphQLError } from 'graphql'
import { expect, test } from 'vitest'
import { payloadTooLarge, undeliverable } from '../../src/server/errors/delivery-failure.ts'
import { plainChange } from '../support/plain-change.ts'

const delivery = { change: plainChange() }
const mask = () =>
  new GraphQLError('Unexpected.', { extensions: { code: 'INTERNAL_SERVER_ERROR', id: 'id-1' } })

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

test('a text longer than V8 can make is a payload that is too large, however V8 says it', () => {
  const half = 'x'.repeat(2 ** 28)
  const errors = [
    thrownBy(() => `${half}${half}`),
    thrownBy(() => JSON.stringify([half, half])),
    thrownBy(() => Buffer.alloc(2 ** 29).toString('latin1')),
  ]
  for (const error of errors) {
    expect(undeliverable(error, delivery, mask).extensions).toMatchObject({
      ...{ code: 'PAYLOAD_TOO_LARGE', cursor: delivery.change.cursor },
    })
  }
})

test('what was made for clients keeps its code, and gets the cursor', () => {
  const shown = new GraphQLError('Said on purpose.', { extensions: { code: 'ON_PURPOSE' } })
  const { extensions } = undeliverable(shown, delivery, () => shown)
  expect(extensions).toEqual({ code: 'ON_PURPOSE', cursor: delivery.change.cursor })
})

test('of what is no change there is no cursor', () => {
  expect(undeliverable(new Error('secret'), 42, mask).extensions).toEqual(mask().extensions)
})

test.each([
  ['a live list', { kind: 'snapshot', shown: { rows: [], totalCount: 0 } }],
  ['totals', { shown: {} }],
])('there is no going on after %s: no cursor, and codes that say so', (_what, kept) => {
  const event = { ...kept, cursor: delivery.change.cursor, transaction: null, change: delivery.change }
  const tooLong = new RangeError('Invalid string length')
  for (const { code, extensions } of [
    { code: 'LIST_TOO_LARGE', extensions: payloadTooLarge(10, event).details },
    { code: 'LIST_TOO_LARGE', extensions: undeliverable(tooLong, event, mask).extensions },
    { code: 'FIRST_ROWS_FAILED', extensions: undeliverable(new Error('secret'), event, mask).extensions },
  ]) {
    expect(extensions).not.toHaveProperty('cursor')
    expect({ code: payloadTooLarge(10, event).code, ...extensions }).toMatchObject({ code })
  }
})
