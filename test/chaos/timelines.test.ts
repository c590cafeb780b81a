import { expect, it } from 'vitest'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { Timelines } from './timelines.ts'

const cursor = (timeline: number, lsn: bigint) => formatCursor({ systemId: '7', timeline }, toLsn(lsn), 3)

it('are one order: what is shared, what only the old primary has, what the new one writes', () => {
  const timelines = new Timelines()
  expect(timelines.straighten(cursor(1, 900n))).toBe(cursor(1, 900n))
  timelines.fork(2, toLsn(500n))
  expect(timelines.straighten(cursor(2, 500n))).toBe(timelines.straighten(cursor(1, 500n)))
  expect(timelines.straighten(cursor(1, 900n)) < timelines.straighten(cursor(2, 501n))).toBe(true)
  expect(timelines.place(toLsn(500n))).toBe(500n)
  expect(timelines.straighten(cursor(2, 501n))).toBe(cursor(1, timelines.place(toLsn(501n))))
})
