/**
 * `rowcast serve` with a schema of one's own where Pothos is not installed: it serves, and says that the live page is off; without the schema it names
 * what is missing. And commands that serve nothing, without graphql. On the packed tarball, with a database that does not answer; runs after `npm run build`.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openLinkedProject, ROOT } from '../support/packed-project.ts'

const IMPORTS = `import { buildSchema } from 'graphql'
import { addChanges } from 'rowcast/graphql'
const yours = buildSchema('type Query { hello: String }')
`
const configWith = (schema: string, imports = IMPORTS) => `${imports}import { defineConfig } from 'rowcast'
import { catalog } from './generated/rowcast.ts'

export default defineConfig({
  catalog,
  createPrisma: () => ({ async $connect() {}, async $disconnect() {} }),
  ${schema}
})
`

const command = '`npm install @pothos/core @pothos/plugin-prisma`'

it('serves, and says that the live page is off', async () => {
  await using project = await openLinkedProject(
    {
      'package.json': '{ "private": true, "type": "module" }',
      'package-lock.json': '{}',
      'generated/rowcast.ts': await readFile(join(ROOT, 'test/contracts/notes/rowcast.ts'), 'utf8'),
      'rowcast.config.ts': configWith(
        'schema: ({ feed }) => addChanges(yours, feed, { models: { Note: {} } }),',
      ),
      'made.config.ts': configWith(''),
    },
    { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', PORT: '0' },
    ['graphql', '@prisma/client'],
  )
  await using server = project.start('rowcast', ['serve'])
  expect(await server.said('The live page is off')).toContain(command)
  const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
  const response = await fetch(`${url}/graphql`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ query: '{ hello __schema { subscriptionType { fields { name } } } }' }),
  })
  expect(await response.json()).toEqual({
    data: { hello: null, __schema: { subscriptionType: { fields: [{ name: 'noteChanged' }] } } },
  })
  expect((await fetch(url)).status).toBe(404)
  const { stderr } = await project.fail('rowcast', ['serve', '--config', 'made.config.ts'])
  expect(stderr).toContain('CLI_PEER_MISSING')
  expect(stderr).toContain(command)
})

it.each([
  ['doctor', []],
  ['status', []],
  ['slots', []],
  ['enable', ['--dry-run']],
  ['plan', ['--stdout']],
  ['tail', []],
])(
  '`rowcast %s` of a worker, which has no graphql, comes as far as the database',
  async (command, options) => {
    await using project = await openLinkedProject(
      {
        'package.json': '{ "private": true, "type": "module" }',
        'generated/rowcast.ts': await readFile(join(ROOT, 'test/contracts/notes/rowcast.ts'), 'utf8'),
        'rowcast.config.ts': configWith('', ''),
      },
      { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' },
      ['@prisma/client'],
    )
    const { stdout, stderr } = await project.fail('rowcast', [command, ...options])
    expect(`${stdout}${stderr}`).toContain('SOURCE_CONNECTION_REFUSED')
  },
)
