/**
 * `npm run bench [-- <name> …] [--rounds N] [--smoke] [--only <scenario>]`: ours and its peers side by side. It measures and fails on
 * nothing but errors: times are for people to read. `--report` prints the results there are as Markdown.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { BenchContext, Benchmark } from './benchmark.ts'
import { broker } from './broker.ts'
import { type BenchPostgres, openPostgres } from './database.ts'
import { decode } from './decode.ts'
import { drain } from './drain.ts'
import { fanOut } from './fan-out.ts'
import { filters } from './filters.ts'
import { firstRowsRead } from './first-rows.ts'
import { growth } from './growth.ts'
import { hostile } from './hostile.ts'
import { idleModels } from './idle-models.ts'
import { latency } from './latency.ts'
import { lists } from './lists.ts'
import { memory } from './memory.ts'
import { metadata } from './metadata.ts'
import { related } from './related.ts'
import { relations } from './relations.ts'
import { describeMachine, formatReport, formatResult, print, writeResult } from './report.ts'
import { comingBack } from './return.ts'
import { start } from './start.ts'
import { threeWays } from './three-ways.ts'

const BENCHMARKS: readonly Benchmark[] = [
  ...[drain, decode, idleModels, latency, fanOut, filters, memory, growth, start, broker, hostile, relations],
  ...[comingBack, metadata, related, threeWays, firstRowsRead, lists],
]
/** Beside the sources, not beside what they are compiled to. */
const RESULTS = join(import.meta.dirname, '../../results')
const DEFAULT_ROUNDS = 3

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    smoke: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const rounds = options.smoke ? 1 : Number(options.rounds ?? DEFAULT_ROUNDS)
const unknown = names.filter((name) => !BENCHMARKS.some((each) => each.name === name))
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  print(`Usage: npm run bench [-- <name> …] [--rounds N] [--smoke] [--only <scenario>] [--report]\n`)
  for (const { name, about } of BENCHMARKS) print(`  ${name.padEnd(12)} ${about}`)
  process.exit(2)
}
if (options.report) {
  print(await formatReport(RESULTS))
  process.exit(0)
}
/** Started when the first benchmark asks for it. */
const shared: { postgres?: Promise<BenchPostgres> } = {}
const sharedPostgres = (): Promise<BenchPostgres> => {
  shared.postgres ??= openPostgres()
  return shared.postgres
}
try {
  print(Object.values(describeMachine()).join(', '))
  for (const benchmark of BENCHMARKS) {
    if (names.length === 0 || names.includes(benchmark.name)) await runOne(benchmark)
  }
} finally {
  await (await shared.postgres)?.[Symbol.asyncDispose]()
}

async function runOne(benchmark: Benchmark): Promise<void> {
  const startedMs = performance.now()
  print(`\n== ${benchmark.name}: ${benchmark.about}`)
  const context: BenchContext = {
    rounds,
    isSmoke: options.smoke,
    isWanted: (scenario) => options.only === undefined || options.only === scenario,
    size: (full, tiny) => (options.smoke ? tiny : full),
    note: (text) => print(`   ${text}`),
    openDatabase: async (name) => (await sharedPostgres()).openDatabase(name),
    postgresPid: async () => (await sharedPostgres()).cluster.pid ?? Number.NaN,
  }
  const result = await benchmark.run(context)
  print(formatResult(result))
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10
  if (options.smoke) return print(`   ${seconds} s; a smoke run: these figures mean nothing.`)
  if (options.only !== undefined) return print(`   ${seconds} s; a part of it: not written to the results.`)
  print(`   ${seconds} s; ${await writeResult(RESULTS, benchmark.name, result, { rounds, seconds })}`)
}
