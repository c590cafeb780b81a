/** What CI runs in turns, by the day: each suite has its turn. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const RUN = readFileSync(join(ROOT, '.ci/run'), 'utf8')

/** The words of a list of the script. */
function wordsOf(list: string): readonly string[] {
  const [, lines = ''] = new RegExp(`^${list}=\\(\\n([^)]*)\\)`, 'm').exec(RUN) ?? []
  return lines.split(/[\s']+/).filter((word) => word !== '')
}

it('a stranger’s project: each file is named, and each name is of one file', () => {
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'test'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file.endsWith('.package.test.ts'))
  const named = [...new Set(wordsOf('strangers'))]
  expect(named.length).toBeGreaterThan(10)
  const found = named.map((name) => files.filter((file) => file.includes(`${name}.package`)))
  expect(found.filter(({ length }) => length !== 1)).toEqual([])
  expect(found.flat().sort()).toEqual(files.sort())
})

it('benchmarks: each is named once', () => {
  const [, lists = ''] =
    /const BENCHMARKS[^=]*= \[\n([\s\S]*?)\n\]/.exec(readFileSync(join(ROOT, 'bench/main.ts'), 'utf8')) ?? []
  const count = [...lists.matchAll(/\w+(?=[,\]])/g)].length
  const named = wordsOf('benchmarks')
  expect(count).toBeGreaterThan(10)
  expect(named).toHaveLength(count)
  expect(new Set(named).size).toBe(count)
})
