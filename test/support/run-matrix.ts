/**
 * `npm run test:matrix`: every test whose outcome may depend on PostgreSQL's version, on each supported major one
 * after another, each an embedded one; `npm run test:matrix -- 14 17` on those alone, `-- --core 15` those of the stages that speak
 * with PostgreSQL and the scenarios, `-- --stages 15` those of the stages alone.
 */
import { listVersionedTests, parseMajors, runMajors } from './major-runs.ts'

const args = process.argv.slice(2)
const STAGES = /^test\/(?:wire|pgoutput|catalog|changes|source)\//
/** Also what reads the catalog elsewhere, and what compares with PostgreSQL's own answers. */
const OTHERS = /^test\/(?:scenarios|bus\/filter|cli\/doctor|cli\/slots|simulation|sets\/rows-at)/
const CORE = new RegExp(`${STAGES.source}|${OTHERS.source}`)
const part = args.includes('--core') ? CORE : args.includes('--stages') ? STAGES : /^/

const isGreen = await runMajors({
  title: args.find((arg) => arg.startsWith('--'))?.replace('--', 'matrix, ') ?? 'matrix',
  majors: parseMajors(args.filter((arg) => arg !== '--core' && arg !== '--stages')),
  files: listVersionedTests().filter((file) => part.test(file)),
})
process.exitCode = isGreen ? 0 : 1
