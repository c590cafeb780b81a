/** `npm run docs:types`: prints docs/types.md from the decoder's table of types; with `--check`, only compares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatTypeDocs } from './type-docs.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'types.md')
const printed = formatTypeDocs()

if (!process.argv.includes('--check')) {
  writeFileSync(file, printed)
  process.stdout.write('docs/types.md is written.\n')
} else if (readFileSync(file, 'utf8') === printed) {
  process.stdout.write('docs/types.md is up to date.\n')
} else {
  process.stderr.write(
    'docs/types.md differs from the decoder’s table of types. Hint: run npm run docs:types.\n',
  )
  process.exitCode = 1
}
