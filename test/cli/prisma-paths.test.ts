/** Where a migration is written for a schema of another package, also where that package's config cannot be run. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findMigrations } from '../../src/cli/prisma-paths.ts'

let folder = ''
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'rowcast-paths-')))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function migrationsOf(config: string): Promise<string | null> {
  const files = { 'package.json': '{}', 'prisma/schema.prisma': '', 'prisma.config.ts': config }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return findMigrations(join(folder, 'app'), join(folder, 'prisma/schema.prisma'))
}

const NOT_INSTALLED = "import 'rowcast-is-not-installed'\n"

it.each([
  ['names them', "export default { migrations: { path: 'changes' } }", 'changes'],
  ['says nothing of them', "export default { schema: 'prisma/schema.prisma' }", 'prisma/migrations'],
  [
    'cannot be run, and says nothing of them',
    `${NOT_INSTALLED}export default {\n  schema: 'prisma/schema.prisma',\n}`,
    'prisma/migrations',
  ],
])('a config that %s', async (_, config, path) => {
  expect(await migrationsOf(config)).toBe(join(folder, path))
})

it('a config that cannot be run, and names them: nobody knows where, and no folder is guessed', async () => {
  const config = `${NOT_INSTALLED}export default {\n  schema: 'prisma/schema.prisma',\n  migrations: { path: 'changes' },\n}`
  expect(await migrationsOf(config)).toBeNull()
})
