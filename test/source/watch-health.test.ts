/** How many failed looks make a watch blind. */
import { expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { WatchHealth } from '../../src/source/watch/watch-health.ts'

it('is blind from the third failed look in a row on, says so once, and sees again with one that succeeds', () => {
  const health = new WatchHealth()
  const full = new RowcastError('SOURCE_TOO_MANY_CONNECTIONS', 'No connection is left.')
  const news = [full, full].map((error) => health.failed(error))
  expect(news).toEqual([null, null])
  expect(health.fault).toBeNull()
  expect(health.succeeded()).toBe(false)
  expect(health.failures).toBe(0)
  const again = [full, full, full, full].map((error) => health.failed(error)?.code ?? null)
  expect(again).toEqual([null, null, 'SOURCE_WATCH_FAILED', null])
  expect(health.fault).toMatchObject({
    details: { failures: 4, reason: 'SOURCE_TOO_MANY_CONNECTIONS' },
    hint: full.hint,
    message: expect.stringContaining('No connection is left.'),
  })
  expect(health.succeeded()).toBe(true)
  expect(health.fault).toBeNull()
})
