/** How long `npm start` takes until changes flow, against a database that exists. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { applyMigrations } from '../src/embedded/migrations.ts'
import { parseConnectionTarget } from '../src/source/db/database-address.ts'
import { type Benchmark, RunBook } from './benchmark.ts'
import { ROOT } from './root.ts'

const POLL_MS = 5

/** Runs the script, waits for /health/ready, stops it; returns the milliseconds to ready. */
async function startOnce(url: string): Promise<number> {
  const startedMs = performance.now()
  const child = spawn('npm', ['start', '--silent'], {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: url, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  try {
    let address: string | undefined
    for await (const line of createInterface({ input: child.stdout })) {
      address = /"url":"([^"]+)"/.exec(line)?.[1]
      if (address !== undefined) break
    }
    if (address === undefined) throw new Error('npm start ended before it listened.')
    child.stdout.resume()
    while (!(await isReady(address))) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    return performance.now() - startedMs
  } finally {
    // npm, its shell and ours are one group.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
    await exited
  }
}

async function isReady(address: string): Promise<boolean> {
  try {
    return (await fetch(new URL('/health/ready', address))).ok
  } catch {
    return false
  }
}

async function build(): Promise<void> {
  const code = await new Promise((resolve) =>
    spawn('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' }).once('exit', resolve),
  )
  if (code !== 0) throw new Error('npm run build failed.')
}

export const start: Benchmark = {
  name: 'start',
  about: 'npm start until /health/ready says 200, on the sample schema',
  async run(context) {
    const book = new RunBook()
    await using database = await context.openDatabase('start')
    // The sample schema wants an empty database.
    await database.query('DROP PUBLICATION rowcast')
    await database.query('DROP TABLE orders')
    const target = parseConnectionTarget(database.url)
    await applyMigrations({ target, folder: join(ROOT, 'prisma/migrations') })
    // A smoke run starts what was built already: others read it meanwhile.
    if (!context.isSmoke) await build()
    // The first start makes publication, identities and slot.
    await startOnce(database.url)
    for (let round = 0; round < context.rounds; round++) {
      book.add('npm start to ready', 'rowcast', { ms: await startOnce(database.url) })
    }
    const ms = book.median('npm start to ready', 'rowcast', 'ms')
    return { runs: book.runs, ratios: [{ what: 'npm start to ready, s', value: ms / 1_000, target: '< 1' }] }
  },
}
