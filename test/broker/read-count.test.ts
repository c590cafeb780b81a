/** How many entries a read may bring follows how long the last ones were. */
import type { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { ReadCount } from '../../src/broker/read-count.ts'
import { LSN_ZERO } from '../../src/wire/lsn.ts'

const MIB = 1024 * 1024

const entriesOf = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, sequence) => ({
    ...{ id: { lsn: LSN_ZERO, sequence }, field: 'b', beside: null },
    value: { length: bytes } as Buffer,
  }))

test('many short ones, few long ones, and one at a time of those that are longer than a read may be', () => {
  const page = new ReadCount()
  for (let reads = 0; reads < 10; reads += 1) page.note(entriesOf(page.count, 200))
  expect(page.count).toBe(64)
  page.note(entriesOf(64, MIB / 4))
  expect(page.count).toBe(16)
  page.note([...entriesOf(1, 100 * MIB), ...entriesOf(15, 10)])
  expect(page.count).toBe(1)
})

test('grows slowly: what comes after long ones may be long', () => {
  const page = new ReadCount()
  page.note(entriesOf(1, 100 * MIB))
  const counts = Array.from({ length: 7 }, () => {
    page.note(entriesOf(1, 10))
    return page.count
  })
  expect(counts).toEqual([2, 4, 8, 16, 32, 64, 64])
  page.note([])
  expect(page.count).toBe(64)
})
