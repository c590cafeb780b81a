/** `npm run docs:config`: prints the tables of docs/configuration.md from the options; with `--check`, only compares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withConfigTables } from './config-docs.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'configuration.md')
const page = readFileSync(file, 'utf8')
const printed = withConfigTables(page)

if (!process.argv.includes('--check')) {
  writeFileSync(file, printed)
  process.stdout.write('docs/configuration.md is written.\n')
} else if (page === printed) {
  process.stdout.write('docs/configuration.md is up to date.\n')
} else {
  process.stderr.write('docs/configuration.md differs from the options. Hint: run npm run docs:config.\n')
  process.exitCode = 1
}
