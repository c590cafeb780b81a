/** `init` in projects as they are, and what bad usage says. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openCliFolder } from '../run-cli.ts'

const schema = `datasource db {
  provider = "postgresql"
}

generator client {
  provider = "prisma-client"
  output   = "../src/generated/prisma"
}

model Thing {
  id Int @id
}
`

describe('init', () => {
  it('adds the generator and a config once, where Prisma has its schema', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rowcast-init-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await using cli = await openCliFolder({})
    await writeFile(join(folder, 'prisma.config.ts'), `export default { schema: 'db/main.prisma' }`)
    const refused = await cli.run(['init', '--schema', join(folder, 'db')])
    expect(refused.stderr).toContain('CLI_NO_SCHEMA')
    await writeFile(join(cli.path, 'schema.prisma'), schema)
    await rm(join(cli.path, 'rowcast.config.ts'))
    const done = await cli.run(['init'])
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toContain('npx prisma generate')
    const written = await readFile(join(cli.path, 'schema.prisma'), 'utf8')
    expect(written).toBe(
      schema.replace(
        '\nmodel',
        '\ngenerator rowcast {\n  provider = "rowcast-generator"\n  output   = "../src/generated/rowcast.ts"\n}\n\nmodel',
      ),
    )
    const config = await readFile(join(cli.path, 'rowcast.config.ts'), 'utf8')
    expect(config).toContain('from "../src/generated/prisma/client.ts"')
    expect(config).toContain('from "../src/generated/rowcast.ts"')
    const again = await cli.run(['init', '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ deeds: [{ what: 'kept' }, { what: 'kept' }] })
    expect(await readFile(join(cli.path, 'schema.prisma'), 'utf8')).toBe(written)
  })
})

describe('init finds the schema', () => {
  it.each([
    ['prisma.config.ts', `export default defineConfig({ schema: "db/models" })`, 'db/models/base.prisma'],
    ['prisma7.config.ts', `export default { schema: ['db', 'seven.prisma'].join('/') }`, 'db/seven.prisma'],
    ['prisma.config.mts', `export default { schema: 'db' as string }`, 'db/main.prisma'],
    ['prisma.config.cjs', `module.exports = { schema: 'db/main.prisma' }`, 'db/main.prisma'],
    ['.config/prisma.ts', `export default { schema: '../db/main.prisma' }`, 'db/main.prisma'],
    // What cannot be run now has its plain form.
    [
      'prisma.config.ts',
      `// schema: 'no'\nimport 'not-installed'\nexport default { schema: 'db/main.prisma' }`,
      'db/main.prisma',
    ],
    ...['schema.prisma', 'db/schema/main.prisma'].map((schema) => [
      'prisma.config.ts',
      `import 'not-installed'\nexport default { schema: '${schema}' }`,
      schema,
    ]),
    ['package.json', '{ "prisma": { "schema": "db/main.prisma" } }', 'db/main.prisma'],
    ['README.md', '', 'prisma/schema.prisma'],
    ['README.md', '', 'prisma/schema/main.prisma'],
  ])('by %s %s', async (file, text, place) => {
    await using cli = await openCliFolder({})
    await rm(join(cli.path, 'rowcast.config.ts'))
    for (const path of [file, place]) await mkdir(dirname(join(cli.path, path)), { recursive: true })
    await writeFile(join(cli.path, file), text)
    await writeFile(join(cli.path, dirname(place), 'a.prisma'), 'model Other {\n  id Int @id\n}\n')
    await writeFile(join(cli.path, place), schema)
    const { code, stdout } = await cli.run(['init'])
    expect([code, stdout]).toEqual([0, expect.stringContaining(`${place}: the generator of the catalog`)])
    expect(stdout).toMatch(/npm install .*@prisma\/adapter-pg/)
    expect(await readFile(join(cli.path, place), 'utf8')).toContain('provider = "rowcast-generator"')
  })

  it('reads .env in the config where there is one, and asks for what is missing only', async () => {
    await using cli = await openCliFolder({})
    await rm(join(cli.path, 'rowcast.config.ts'))
    const names = [
      'dotenv',
      'graphql',
      '@pothos/core',
      '@pothos/plugin-prisma',
      '@prisma/client',
      '@prisma/adapter-pg',
    ]
    const dependencies = Object.fromEntries([...names, 'prisma'].map((name) => [name, '7']))
    await writeFile(join(cli.path, 'package.json'), JSON.stringify({ dependencies }))
    await writeFile(join(cli.path, 'schema.prisma'), schema)
    expect((await cli.run(['init'])).stdout).not.toContain('npm install')
    expect(await readFile(join(cli.path, 'rowcast.config.ts'), 'utf8')).toMatch(/^import "dotenv\/config"\n/)
  })

  it('and touches none of another database', async () => {
    await using cli = await openCliFolder({})
    await writeFile(join(cli.path, 'schema.prisma'), schema.replace('postgresql', 'mysql'))
    const { code, stderr } = await cli.run(['init', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'GENERATOR_NOT_POSTGRESQL' } })
    expect(await readFile(join(cli.path, 'schema.prisma'), 'utf8')).not.toContain('rowcast')
  })
})

it.each([
  [['tail', '--frm', 'x'], 'Did you mean --from'],
  [['tial'], 'Did you mean tail'],
  [['record'], "missing required argument 'file'"],
])('bad usage %j is exit code 2, with a hint', async (args, words) => {
  await using cli = await openCliFolder({})
  const { code, stderr } = await cli.run(args)
  expect(code).toBe(2)
  expect(stderr).toContain(words)
})
