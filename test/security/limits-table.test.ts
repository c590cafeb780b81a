/** The table of limits in docs/security.md against the code: each limit is in it, with the default that it has, and a test sets it in order to reach it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/server/limits/limits.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[]

/** Limits in the order of the table, each with its default as it is written there. */
function rowsOfTable(): ReadonlyMap<string, string> {
  const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.flatMap((row) => {
      const [, named = '', defaults = ''] = row
        .split(' | ')
        .map((cell) => cell.replace(/^\| /, ''))
        .flatMap((cell, at) => (at === 0 ? ['', cell] : [cell]))
      const names = [...named.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')
      return names.map((name, at) => [name, defaults.split(', ')[at] ?? ''] as const)
    }),
  )
}

/** Sets of packages: theirs are of others. */
const OF_PACKAGES = ['peers', 'servers', 'matrix']

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

const TESTS = readdirSync(join(ROOT, 'test'), { encoding: 'utf8', withFileTypes: true })
  .filter((entry) => entry.name !== 'node_modules')
  .flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(join(ROOT, 'test', entry.name), {
          encoding: 'utf8',
          recursive: !OF_PACKAGES.includes(entry.name),
        }).map((path) => join(entry.name, path))
      : [entry.name],
  )
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => readFileSync(join(ROOT, 'test', path), 'utf8'))

test.each(NAMES)('%s is set by a test that reaches it', (name) => {
  const setting = new RegExp(`\\b${name}: `)
  expect(TESTS.some((text) => setting.test(text))).toBe(true)
})
