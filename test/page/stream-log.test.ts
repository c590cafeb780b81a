/** The list of events in GraphiQL: its order, its bounds, and what its errors say. */
import { describe, expect, it } from 'vitest'
import { formatCompact } from '../../page/graphiql/compact-json.ts'
import { tokenizeJson } from '../../page/graphiql/json-tokens.ts'
import {
  CHARACTERS_MAX,
  cleared,
  EMPTY_LOG,
  EVENTS_MAX,
  SHOWN_CHARACTERS_MAX,
  type StreamLog,
  showError,
  withEnd,
  withFailure,
  withLoss,
  withPause,
  withResult,
} from '../../page/graphiql/stream-log.ts'
import { connectionParamsOf } from '../../page/graphiql/streams.ts'

const AT = new Date(0)
const withMany = (log: StreamLog, results: readonly unknown[]) =>
  results.reduce<StreamLog>((before, result) => withResult(before, result, AT), log)
const numbers = ({ events }: StreamLog) => events.map(({ number }) => number)
const tick = (ticks: unknown) => ({ data: { ticks } })

describe('the events of a subscription', () => {
  it('are newest first, and no more than fit', () => {
    expect(numbers(withMany(EMPTY_LOG, [tick(1), tick(2)]))).toEqual([2, 1])
    const many = withMany(
      EMPTY_LOG,
      Array.from({ length: EVENTS_MAX + 5 }, (_, index) => tick(index)),
    )
    expect([many.events.length, many.received]).toEqual([EVENTS_MAX, EVENTS_MAX + 5])
    const large = withMany(
      EMPTY_LOG,
      Array.from({ length: 100 }, () => tick('x'.repeat(60_000))),
    )
    const characters = large.events.reduce((sum, { text }) => sum + text.length, 0)
    expect(characters).toBeLessThanOrEqual(CHARACTERS_MAX)
    expect(large.events[0]?.text.length).toBeLessThan(SHOWN_CHARACTERS_MAX + 50)
    expect(large.events[0]?.text).toMatch(/… 10,\d{3} more characters$/)
  })

  it('stand still while paused, and none is missing afterwards', () => {
    const paused = withPause(withMany(EMPTY_LOG, [tick(1)]), true)
    const later = withMany(paused, [tick(2), tick(3)])
    expect([numbers(later), later.held.length]).toEqual([[1], 2])
    expect(numbers(withPause(later, false))).toEqual([3, 2, 1])
    expect(cleared(later)).toMatchObject({ events: [], held: [], received: 3, isPaused: true })
  })

  it('say where the connection was lost, once, and not before it was there', () => {
    expect(withLoss(EMPTY_LOG, AT).events).toEqual([])
    const lost = withLoss(withLoss(withMany(EMPTY_LOG, [tick(1)]), AT), AT)
    expect(lost.events.map(({ note }) => note)).toEqual([expect.stringContaining('Connection lost'), null])
    expect(lost.state).toBe('reconnecting')
  })

  it('have their errors apart from their data', () => {
    const extensions = { code: 'RESYNC_REQUIRED', hint: 'Load the list again.' }
    const { events } = withMany(EMPTY_LOG, [{ data: null, errors: [{ message: 'Gone.', extensions }] }])
    expect(events[0]).toMatchObject({
      text: '',
      errors: [{ message: 'Gone.', code: 'RESYNC_REQUIRED', hint: 'Load the list again.' }],
    })
    expect(withEnd(withMany(EMPTY_LOG, [{ data: null, errors: [{}] }])).state).toBe('failed')
    expect(withEnd(withMany(EMPTY_LOG, [tick(1)])).state).toBe('ended')
    const both = withMany(EMPTY_LOG, [{ data: { a: 1 }, errors: [{ message: 'Half.' }] }])
    expect(both.events[0]).toMatchObject({ text: '{ "a": 1 }', errors: [{ code: null, hint: null }] })
  })

  it.each([
    [{ code: 4403, reason: 'UNAUTHENTICATED' }, '4403', 'The server closed the connection: UNAUTHENTICATED.'],
    [{ code: 4400, reason: '' }, '4400', 'The server closed the connection: no reason given.'],
    [new Error('No.'), null, 'No.'],
    [undefined, null, 'The server does not answer.'],
  ])('an end by %s is readable', (error, code, message) => {
    expect(showError(error)).toEqual({ code, message, hint: null })
    expect(withFailure(EMPTY_LOG, error, AT)).toMatchObject({
      state: 'failed',
      events: [{ errors: [{ code }] }],
    })
  })

  it('take whatever JSON may hold', () => {
    let deep: unknown = 1
    for (let depth = 0; depth < 20_000; depth += 1) deep = [deep]
    expect(withResult(EMPTY_LOG, tick(deep), AT).events[0]?.text).toContain('too deeply')
  })
})

describe('JSON for people', () => {
  it('stands on one line where it fits', () => {
    const value = {
      change: { action: 'UPDATE', old: null, changed: ['a', 'b'], text: 'x'.repeat(60), none: {} },
    }
    const text = formatCompact(value)
    expect(text.split('\n').slice(0, 5)).toEqual([
      '{',
      '  "change": {',
      '    "action": "UPDATE",',
      '    "old": null,',
      '    "changed": ["a", "b"],',
    ])
    expect(JSON.parse(text)).toEqual(value)
  })

  it('is coloured without a character lost', () => {
    const text = formatCompact({ 'a "b"': ['x: 1', -1.5e9, true, null, 'ab\\'] })
    const tokens = tokenizeJson(text)
    expect(tokens.map((token) => token.text).join('')).toBe(text)
    expect(tokens.filter(({ kind }) => kind !== null).map(({ kind }) => kind)).toEqual([
      ...['key', 'string', 'number', 'word', 'word', 'string'],
    ])
  })
})

it('headers reach the server over WebSocket as it looks for them', () => {
  expect(connectionParamsOf({ Authorization: 'Bearer abc', 'X-Tenant': '1' })).toEqual({
    ...{ token: 'abc', authorization: 'Bearer abc', Authorization: 'Bearer abc' },
    ...{ 'x-tenant': '1', 'X-Tenant': '1' },
  })
})
