/**
 * `npm run test:matrix`: every test whose outcome may depend on PostgreSQL's version, on each supported major one
 * after another, each an embedded one; `npm run test:matrix -- 14 17` on those alone, `-- --core 15` those of the stages that speak
 * with PostgreSQL.
 */
import { listVersionedTests, parseMajors, runMajors } from './major-runs.ts'

const args = process.argv.slice(2)
const isCore = args.includes('--core')
const CORE = /^test\/(?:wire|pgoutput|catalog|changes|source|scenarios)\//

const isGreen = await runMajors({
  title: isCore ? 'matrix, core' : 'matrix',
  majors: parseMajors(args.filter((arg) => arg !== '--core')),
  files: listVersionedTests().filter((file) => !isCore || CORE.test(file)),
})
process.exitCode = isGreen ? 0 : 1
