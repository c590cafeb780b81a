/** Runs the tests that need PostgreSQL on several major versions, and says with which exact version each was. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { POSTGRES_MAJORS } from './postgres.ts'

/**
 * Left to `npm test`, which has them once: what clients, browsers, Redis and the terminal see is the same on each version, and so is
 * what a silent link or a slow consumer does.
 */
const VERSION_INDEPENDENT = [
  ...[
    'test/browser/',
    'test/client/',
    'test/embedded/',
    'test/graphql/reading/',
    'test/observe/',
    'test/schemas/',
  ],
  ...['test/security/', 'test/server/', 'test/docker-compose', 'test/docs', 'test/readme.'],
  ...['cursors', 'late-models', 'redis-faults', 'refused-commands', 'silent-links', 'strangers'].map(
    (name) => `test/broker/${name}`,
  ),
  ...['crowd', 'descriptor-limit', 'dev', 'project-commands', 'replay', 'small-heap'].map(
    (name) => `test/cli/${name}`,
  ),
  ...['silent-links', 'slow-consumer'].map((name) => `test/source/${name}`),
]

const ROOT = join(import.meta.dirname, '..', '..')

interface TestCounts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** What one major version gave. */
interface MajorRun extends TestCounts {
  readonly major: number
  /** As the server says it, `14.23`; null when it never started. */
  readonly version: string | null
  readonly isGreen: boolean
}

/** What to run. */
export interface MajorRunsRequest {
  /** Stands at the head of the last lines. */
  readonly title: string
  readonly majors: readonly number[]
  /** Paths below the project. */
  readonly files: readonly string[]
  /** Beside ROWCAST_TEST_POSTGRES_MAJOR. @default {} */
  readonly environment?: Readonly<Record<string, string>>
}

/** The test files whose outcome may depend on PostgreSQL's version. */
export function listVersionedTests(): readonly string[] {
  return readdirSync(join(ROOT, 'test'), { recursive: true, withFileTypes: true })
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => file.endsWith('.pg.test.ts'))
    .filter((file) => !VERSION_INDEPENDENT.some((start) => file.startsWith(start)))
    .sort()
}

/** Major versions named as arguments, or all. @throws Error when one is none of ours */
export function parseMajors(args: readonly string[]): readonly number[] {
  const unknown = args.filter((arg) => !POSTGRES_MAJORS.includes(Number(arg)))
  if (unknown.length > 0) throw new Error(`Not one of ${POSTGRES_MAJORS.join(', ')}: ${unknown.join(', ')}`)
  return args.length === 0 ? POSTGRES_MAJORS : args.map(Number)
}

/**
 * Runs one version after another, prints the table of them, and leaves the sums where ROWCAST_TEST_RESULTS says.
 * True when every version was green.
 */
export async function runMajors(request: MajorRunsRequest): Promise<boolean> {
  const { title, majors, files, environment = {} } = request
  const runs: MajorRun[] = []
  for (const major of majors) {
    process.stdout.write(`\n=== ${title}: PostgreSQL ${major} ===\n`)
    runs.push(await runMajor(major, files, environment))
  }
  process.stdout.write(`\n${title}: ${files.length} test files on each of ${runs.length} versions\n`)
  for (const run of runs) process.stdout.write(`  ${formatRun(run)}\n`)
  const isGreen = runs.every((run) => run.isGreen)
  const versions = runs.map((run) => run.version ?? `${run.major} (did not start)`).join(', ')
  process.stdout.write(`${title} ${isGreen ? 'green' : 'RED'} on PostgreSQL ${versions}\n`)
  writeSums(runs)
  return isGreen
}

function formatRun({ major, version, passed, failed, skipped, isGreen }: MajorRun): string {
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`
  return `PostgreSQL ${(version ?? `${major}.?`).padEnd(6)} ${counts}${isGreen ? '' : '  <- RED'}`
}

async function runMajor(
  major: number,
  files: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<MajorRun> {
  const folder = mkdtempSync(join(tmpdir(), 'rowcast-majors-'))
  const resultsFile = join(folder, 'results.json')
  const versionFile = join(folder, 'version')
  try {
    const code = await runVitest(files, {
      ...environment,
      ROWCAST_TEST_POSTGRES_MAJOR: String(major),
      ROWCAST_TEST_RESULTS: resultsFile,
      ROWCAST_TEST_VERSION_FILE: versionFile,
    })
    const version = readIfThere(versionFile)?.trim() ?? null
    const counts = parseCounts(readIfThere(resultsFile))
    // A green run of no tests, or of another version, would prove nothing.
    const isGreen = code === 0 && counts.passed > 0 && version?.split('.')[0] === String(major)
    return { major, version, ...counts, isGreen }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Vitest's exit code; its output is ours. */
function runVitest(files: readonly string[], environment: Readonly<Record<string, string>>): Promise<number> {
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const projects = ['pg-together', 'pg'].flatMap((name) => ['--project', name])
  const child = spawn(process.execPath, [vitest, 'run', ...projects, ...files], {
    cwd: ROOT,
    // As in `npm test`: those that can share a process do.
    env: { ...process.env, ROWCAST_TEST_TOGETHER: '1', ...environment },
    stdio: 'inherit',
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}

function parseCounts(text: string | null): TestCounts {
  const results = text === null ? {} : (JSON.parse(text) as Readonly<Record<string, number>>)
  return {
    passed: results['numPassedTests'] ?? 0,
    failed: results['numFailedTests'] ?? 0,
    skipped: results['numPendingTests'] ?? 0,
  }
}

/** In the form of Vitest's own JSON report, so that CI counts both alike. */
function writeSums(runs: readonly MajorRun[]): void {
  const file = process.env['ROWCAST_TEST_RESULTS']
  if (file === undefined) return
  const sum = (key: keyof TestCounts) => runs.reduce((total, run) => total + run[key], 0)
  writeFileSync(
    file,
    JSON.stringify({
      numPassedTests: sum('passed'),
      numFailedTests: sum('failed'),
      numPendingTests: sum('skipped'),
    }),
  )
}
