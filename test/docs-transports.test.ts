/** The table of docs/transports.md has a column for each transport, and each of them a gauge of its own. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { METRICS } from '../src/observe/metric-table.ts'
import { STREAM_FORMATS } from '../src/server/result-stream-formats.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../docs/transports.md'), 'utf8')

/** The names that the row says first of each transport. */
function namesIn(row: string): readonly (string | undefined)[] {
  const line = PAGE.split('\n').find((each) => each.startsWith(`| ${row} |`)) ?? ''
  const cells = line.split('|').slice(2, -1)
  return cells.map((cell) => /`(\w+)`/.exec(cell)?.[1])
}

it('names each transport', () => {
  const kinds = ['websocket', ...STREAM_FORMATS.map(({ kind }) => kind)]
  expect(namesIn('`context` gets `kind`')).toEqual(kinds)
})

it('names the gauge of each', () => {
  const gauges = namesIn('Gauge')
  expect(new Set(gauges).size).toBe(1 + STREAM_FORMATS.length)
  expect(Object.keys(METRICS)).toEqual(expect.arrayContaining([...gauges]))
})
