/** The README's library example, run as it stands. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { openDatabase } from './support/database.ts'

const ROOT = join(import.meta.dirname, '..')

it("the README's library example prints who joined, changed and left", async () => {
  await using database = await openDatabase({ migrate: true })
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  expect(example.split('\n').length).toBeLessThanOrEqual(21)
  // Inside the package, so that 'rowcast' means this one; the relative imports keep pointing at the root.
  const folder = await mkdtemp(join(ROOT, 'test', 'generated', 'readme-'))
  const file = join(folder, 'example.ts')
  await writeFile(file, example.replaceAll("'./prisma/", `'${pathToFileURL(ROOT)}/prisma/`))
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=rowcast-source', file], {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: database.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    // A slot is active also while it is made; then it sends nothing of before.
    const readers = async () => {
      const rows = await database.query(
        `SELECT FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid WHERE database = current_database()`,
      )
      return errors === '' ? rows.length : errors
    }
    await expect.poll(readers, { timeout: 30_000 }).toBe(1)
    await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
    await database.query(`UPDATE users SET full_name = 'Ada', tags = '{x}'`)
    await database.query('DELETE FROM users')
    await expect
      .poll(() => output, { timeout: 30_000 })
      .toBe('ada@example.com joined\nada@example.com changed fullName, tags\nada@example.com left\n')
    expect(errors).toBe('')
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  }
})
