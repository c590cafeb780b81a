/** Results for people, as a table, and for machines, as JSON. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { type BenchResult, median, type Run } from './benchmark.ts'

/** Prints a line. */
export function print(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** Four significant digits, thousands apart. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const magnitude = Math.abs(value)
  const digits = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Lowest and highest, so that a noisy machine is seen as one. */
function spreadOf(run: Run, measure: string): string {
  const values = run.rounds.flatMap((round) => round[measure] ?? [])
  return values.length < 2 ? '' : `${formatNumber(Math.min(...values))}–${formatNumber(Math.max(...values))}`
}

/** One row for each measure of each contender. */
export function formatResult({ runs, ratios }: BenchResult): string {
  const rows = runs.flatMap((run) =>
    Object.keys(run.rounds[0] ?? {}).map((measure) => [
      run.scenario,
      run.contender,
      measure,
      formatNumber(median(run.rounds.flatMap((round) => round[measure] ?? []))),
      spreadOf(run, measure),
    ]),
  )
  const table = formatTable([['case', 'contender', 'measure', 'median', 'lowest–highest'], ...rows])
  const lines = ratios.map(
    ({ what, value, target }) =>
      `${value.toFixed(2).padStart(7)}  ${what}${target === null ? '' : `  (target ${target})`}`,
  )
  return [table, '', ...lines].join('\n')
}

/** What a figure means nothing without. */
export function describeMachine(): Readonly<Record<string, string | number>> {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
  }
}

/** What `writeResult` wrote. */
interface ResultFile extends BenchResult {
  readonly name: string
  readonly at: string
  readonly machine: Readonly<Record<string, string | number>>
  readonly rounds: number
}

/** The ratios of every result in `folder` as a table in Markdown, for docs/performance.md. */
export async function formatReport(folder: string): Promise<string> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort()
  const lines = ['| Benchmark | What | Measured | Target |', '|---|---|---|---|']
  const machines = new Set<string>()
  for (const file of files) {
    const { name, at, machine, rounds, ratios } = JSON.parse(
      await readFile(join(folder, file), 'utf8'),
    ) as ResultFile
    machines.add(Object.values(machine).join(', '))
    for (const { what, value, target } of ratios) {
      lines.push(`| ${name} | ${what} | ${formatNumber(value)} | ${target ?? ''} |`)
    }
    lines.push(`| | *${name}: ${at.slice(0, 10)}, medians of ${rounds}* | | |`)
  }
  return [...machines, '', ...lines].join('\n')
}

/** Writes `<folder>/<name>.json`; returns its path. */
export async function writeResult(
  folder: string,
  name: string,
  result: BenchResult,
  details: object,
): Promise<string> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, `${name}.json`)
  const document = { name, at: new Date().toISOString(), machine: describeMachine(), ...details, ...result }
  await writeFile(file, `${JSON.stringify(document, null, 2)}\n`)
  return file
}
