/**
 * `npm run test:matrix`: every test whose outcome may depend on PostgreSQL's version, on each supported major one
 * after another, each an embedded one; `npm run test:matrix -- 14 17` on those alone.
 */
import { listVersionedTests, parseMajors, runMajors } from './major-runs.ts'

const isGreen = await runMajors({
  title: 'matrix',
  majors: parseMajors(process.argv.slice(2)),
  files: listVersionedTests(),
})
process.exitCode = isGreen ? 0 : 1
