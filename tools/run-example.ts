/**
 * `npm run example`: the issue tracker of examples/issues, with a PostgreSQL of its own, from nothing to the address of the page. With
 * DATABASE_URL, in that database, which has its tables already.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { chooseDataFolder } from '../src/embedded/data-folder.ts'
import { applyMigrations } from '../src/embedded/migrations.ts'
import { createPostgresCluster } from '../src/embedded/postgres-cluster.ts'
import {
  buildIssuesPage,
  bundleIssues,
  generateIssues,
  ISSUES,
  startIssues,
} from '../test/support/issue-tracker.ts'

const NAME = 'issues'
/** Of the PostgreSQL that comes with the project. */
const MAJOR = 18

async function openEmbedded(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const cluster = await createPostgresCluster({ dataFolder: chooseDataFolder(ISSUES, MAJOR).folder })
  await cluster.createDatabase(NAME)
  await applyMigrations({ target: cluster.target(NAME), folder: join(ISSUES, 'prisma/migrations') })
  const url = cluster.connectionString(NAME)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  // Once: whom somebody took out of a workspace stays out.
  const { rowCount } = await client.query('SELECT FROM "Person" LIMIT 1')
  if (rowCount === 0) await client.query(readFileSync(join(ISSUES, 'prisma/seed.sql'), 'utf8'))
  await client.end()
  return { url, stop: () => cluster.stop() }
}

await generateIssues()
if (process.argv.includes('--schema')) {
  spawnSync(process.execPath, [await bundleIssues('print-schema')], { cwd: ISSUES, stdio: 'inherit' })
  process.exit()
}
spawnSync('npm', ['run', '--silent', 'codegen'], { cwd: join(ISSUES, '../..'), stdio: 'inherit' })
const own = process.env['DATABASE_URL']
const database = own === undefined ? await openEmbedded() : { url: own, stop: () => Promise.resolve() }
const page = await buildIssuesPage()
const server = startIssues(await bundleIssues('main'), { DATABASE_URL: database.url, PAGE: page })
server.stdout.pipe(process.stdout)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.kill('SIGTERM'))
server.once('exit', (code) => {
  process.exitCode = code ?? 0
  void database.stop()
})
