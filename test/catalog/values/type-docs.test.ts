/** docs/types.md is what the decoder's table of types says today. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TYPE_TABLE } from '../../../src/catalog/values/type-table.ts'
import { formatTypeDocs } from '../../support/type-docs.ts'

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'types.md'), 'utf8')

test('docs/types.md is up to date (hint: npm run docs:types)', () => {
  expect(page).toBe(formatTypeDocs())
})

test('it has a line for every row of the table', () => {
  for (const { scalar, pgType } of TYPE_TABLE) {
    const lines = page
      .split('\n')
      .filter((line) => line.startsWith(`| ${scalar} |`) && line.includes(`| \`${pgType}\` |`))
    expect(lines, `${scalar} on ${pgType}`).toHaveLength(1)
  }
})
