/**
 * `npm run test:matrix`: every test whose outcome may depend on PostgreSQL's version, on each supported major one
 * after another, each an embedded one; `npm run test:matrix -- 14 17` on those alone, `-- --core 15` those of the stages that speak
 * with PostgreSQL and the scenarios, `-- --stages 15` those of the stages alone; with `--half 0` or `--half 1` every second file of them.
 */
import { parseArgs } from 'node:util'
import { listVersionedTests, parseMajors, runMajors } from './major-runs.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { core: { type: 'boolean' }, stages: { type: 'boolean' }, half: { type: 'string' } },
})
const STAGES = /^test\/(?:wire|pgoutput|catalog|changes|source)\//
/** Also what reads the catalog elsewhere, and what compares with PostgreSQL's own answers. */
const OTHERS = /^test\/(?:scenarios|bus\/filter|cli\/doctor|cli\/slots|simulation|sets\/rows-at)/
const CORE = new RegExp(`${STAGES.source}|${OTHERS.source}`)
const part = values.core ? CORE : values.stages ? STAGES : /^/
const title = ['matrix', values.core ? 'core' : values.stages ? 'stages' : null].filter(
  (each) => each !== null,
)
const files = listVersionedTests()
  .filter((file) => part.test(file))
  .filter((_, index) => values.half === undefined || String(index % 2) === values.half)
// Without names Vitest would run every test.
if (files.length === 0) throw new Error(`--half ${values.half} has no test: 0 and 1 have.`)

const isGreen = await runMajors({ title: title.join(', '), majors: parseMajors(positionals), files })
process.exitCode = isGreen ? 0 : 1
