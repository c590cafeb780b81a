/** The table of limits in docs/security.md against the code: each is in it, with the default that it has, and is reached by a test. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/server/limits/limits.ts'
import type { Reach } from './limits/reach.ts'
import { ROW_REACHES } from './limits/row-reaches.ts'
import { SERVER_REACHES } from './limits/server-reaches.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[]

/** The rows of the table. */
const ROWS = (() => {
  const lines = readFileSync(join(ROOT, 'docs/security.md'), 'utf8').split('\n')
  const begin = lines.indexOf('| Limit | Default | Bounds |') + 2
  return lines.slice(begin, lines.indexOf('', begin))
})()

/** Limits in the order of the table, each with its default as it is written there. */
function rowsOfTable(): ReadonlyMap<string, string> {
  return new Map(
    ROWS.flatMap((row) => {
      const [, named = '', defaults = ''] = row
        .split(' | ')
        .map((cell) => cell.replace(/^\| /, ''))
        .flatMap((cell, at) => (at === 0 ? ['', cell] : [cell]))
      const names = [...named.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')
      return names.map((name, at) => [name, defaults.split(', ')[at] ?? ''] as const)
    }),
  )
}

const MIB = 1024 * 1024

/** As people read it. */
function shown(name: string, value: number): string {
  if (name.endsWith('Ms')) return value % 60_000 === 0 ? `${value / 60_000} min` : `${value / 1_000} s`
  if (/Bytes/.test(name)) return value % MIB === 0 ? `${value / MIB} MiB` : `${value / 1024} KiB`
  return value.toLocaleString('en')
}

test.each(NAMES)('%s is in the table, with its default', (name) => {
  const written = rowsOfTable().get(name)
  expect(written?.replace(/ with comments$/, '')).toBe(shown(name, DEFAULT_LIMITS[name]))
})

test('the table has no limits that there are not', () => {
  // What has an upper-case letter in it is a name of ours; `take` and `every` are arguments.
  const unknown = [...rowsOfTable().keys()].filter(
    (name) => /(?:Max|Ms)$/.test(name) && !NAMES.includes(name as never),
  )
  expect(unknown).toEqual([])
})

const REACHES: Readonly<Record<keyof typeof DEFAULT_LIMITS, Pick<Reach<never>, 'over' | 'sees'>>> = {
  ...SERVER_REACHES,
  ...ROW_REACHES,
}

test.each(NAMES)('%s is reached by a test, and its row says what a client sees then', (name) => {
  const { over, sees } = REACHES[name]
  const row = ROWS.find((each) => each.split(' | ')[0]?.includes(`\`${name}\``)) ?? ''
  expect(over.length).toBeGreaterThan(0)
  for (const transport of over) expect(row).toContain(sees(transport))
})

/** What has no option: the test that reaches each, by a text of its own. */
const FIXED: Readonly<Record<string, readonly [path: string, text: string]>> = {
  'fields that an operation writes': ['security/document-limits', 'a field that is written again and again'],
  'statements of one model at a time': ['graphql/reading/statement-gate', 'four run at a time of one model'],
  'root fields of a subscription': ['security/document-limits', 'has one root field'],
  'address and headers': ['security/limits-reached', 'address and headers'],
  'different live lists and totals': ['security/limits-reached', 'different live lists and totals'],
  '`take` and `every` of a live list': ['graphql/lists', 'every: 60001'],
  'relations one behind the other in a filter': ['security/limits-reached', 'relations one behind the other'],
  'an event of `changes(of:)`': ['transactions', 'come in parts where they are large'],
  '`via` of a row': ['graphql/included', 'Math.min(count, 100)'],
  'metadata of a transaction': ['security/limits-reached', 'metadata of a transaction'],
  'reads of first rows': ['sets/page-reads', 'reads what is like no other for each alone, few at once'],
  'messages of a WebSocket': ['server/socket-inbox', 'reads no more of one socket than it may send'],
  "an operation's id": ['security/connection-limits', 'an operation has an id of bounded length'],
  'requests sent before the last is answered': [
    'security/pipelined-requests',
    'what waits behind a stream is bounded',
  ],
}

test('what has no option is reached by a test, too', () => {
  const firsts = ROWS.map((row) => row.split(' | ')[0]?.slice(2) ?? '')
  const without = firsts.filter((cell) => !NAMES.some((name) => cell.includes(`\`${name}\``)))
  expect(without.filter((cell) => !Object.keys(FIXED).some((name) => cell.startsWith(name)))).toEqual([])
  for (const [path, text] of Object.values(FIXED)) {
    const files = [`${path}.test.ts`, `${path}.pg.test.ts`].map((each) => join(ROOT, 'test', each))
    const file = files.find((each) => existsSync(each))
    expect(
      `${path} has ${file !== undefined && readFileSync(file, 'utf8').includes(text) ? text : 'it not'}`,
    ).toBe(`${path} has ${text}`)
  }
})
