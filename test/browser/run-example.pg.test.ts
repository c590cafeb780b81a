/** `npm run example`, as it is started in the repository: builds everything, serves the page and its schema, and ends when it is asked to. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { ISSUES } from '../support/issue-tracker.ts'
import { slotOf } from '../support/live-rowcast.ts'

const ROOT = join(ISSUES, '../..')

it('says where the issue tracker is, and that is there', { timeout: 180_000 }, async () => {
  await using database = await openDatabase()
  for (const file of ['prisma/migrations/20260101000000_issues/migration.sql', 'prisma/seed.sql'])
    await database.query(await readFile(join(ISSUES, file), 'utf8'))
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const [program, ...args] = (scripts.example as string).split(' ')
  const example = spawn(program ?? '', args, {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: database.url, SLOT: slotOf(database), PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(example, 'exit')
  try {
    let url = ''
    for await (const line of createInterface({ input: example.stdout })) {
      url = /^The issue tracker: (http\S+)$/.exec(line)?.[1] ?? ''
      if (url !== '') break
    }
    const page = await (await fetch(url)).text()
    const [, script = ''] = /<script[^>]+src="([^"]+)"/.exec(page) ?? []
    expect((await fetch(new URL(script, url))).headers.get('content-type')).toContain('javascript')
    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ people { name } }' }),
    })
    expect(await answer.json()).toEqual({
      data: { people: ['Ada', 'Bob', 'Cyd', 'Dee'].map((name) => ({ name })) },
    })
  } finally {
    example.kill('SIGTERM')
  }
  expect(await ended).toEqual([0, null])
})
