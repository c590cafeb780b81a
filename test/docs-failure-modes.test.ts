/** Each test that docs/failure-modes.md names is there, and each row names one or says why not. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const TEST = import.meta.dirname
const rows = readFileSync(join(TEST, '../docs/failure-modes.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))

const NAME = /(?<![\w/.`])([a-z]+\/[a-z-]+(?:\/[a-z-]+)*(?:\.pg)?|rowcast\.pg)(?![\w/])/g

function sourceOf(name: string): string | null {
  const path = [name, `${name}.pg`].map((each) => join(TEST, `${each}.test.ts`)).find(existsSync)
  return path === undefined ? null : readFileSync(path, 'utf8')
}

it.each(rows.map((cells) => [cells[1] ?? '', cells.at(-2) ?? ''] as const))('row %s: %s', (_, shown) => {
  const names = [...shown.matchAll(NAME)].map(([name]) => name)
  const isExplained = /\*\*(not shown|by design|not built|not ours)\*\*|benchmarks|–|chaos/.test(shown)
  expect(names.length > 0 || isExplained, shown).toBe(true)
  for (const name of names) expect(sourceOf(name), name).not.toBe(null)
  let present: string | null = null
  for (const part of shown.split(/(?=›)|; |: (?=[a-z]+\/)/)) {
    const title = /^› (.*)$/.exec(part.trim())?.[1]
    if (title !== undefined && present !== null) {
      const words = title.split(/…|\. /)[0]?.replace(/[;.]$/, '').trim() ?? ''
      expect(sourceOf(present), present).toContain(words)
    }
    present = [...part.matchAll(NAME)].at(-1)?.[0] ?? present
  }
})
