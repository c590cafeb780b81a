/** `npm run schema`: prints schema.graphql from the sample's catalog; with `--check`, only compares. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { printServiceSchema } from '../src/graphql/print-schema.ts'
import { catalog } from './generated/rowcast.ts'

const file = fileURLToPath(new URL('../schema.graphql', import.meta.url))
const printed = printServiceSchema({ catalog })

if (!process.argv.includes('--check')) {
  writeFileSync(file, printed)
  process.stdout.write('schema.graphql is written.\n')
} else if (readOrEmpty() === printed) {
  process.stdout.write('schema.graphql is up to date.\n')
} else {
  process.stderr.write('schema.graphql differs from prisma/schema.prisma. Mend: run npm run schema.\n')
  process.exitCode = 1
}

function readOrEmpty(): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
