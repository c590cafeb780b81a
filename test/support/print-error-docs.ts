/** `npm run docs:errors`: prints docs/operations.md from the error table; a test compares. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatErrorDocs } from './error-docs.ts'

writeFileSync(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), formatErrorDocs())
process.stdout.write('docs/operations.md is written.\n')
