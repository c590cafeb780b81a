/**
 * `npm run schema`: prints schema.graphql from the sample's catalog, and page/schema.graphql, which is what the live
 * page's documents are checked against; with `--check`, only compares.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { printActivitySchema, printServiceSchema } from '../src/graphql/print-schema.ts'
import { catalog } from './generated/rowcast.ts'

const SCHEMAS = [
  { name: 'schema.graphql', printed: printServiceSchema({ catalog }), from: 'prisma/schema.prisma' },
  { name: 'page/schema.graphql', printed: printActivitySchema(), from: 'src/graphql/activity' },
]

for (const { name, printed, from } of SCHEMAS) {
  const file = fileURLToPath(new URL(`../${name}`, import.meta.url))
  if (!process.argv.includes('--check')) {
    writeFileSync(file, printed)
    process.stdout.write(`${name} is written.\n`)
  } else if (readOrEmpty(file) === printed) {
    process.stdout.write(`${name} is up to date.\n`)
  } else {
    process.stderr.write(`${name} differs from ${from}. Hint: run npm run schema.\n`)
    process.exitCode = 1
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
