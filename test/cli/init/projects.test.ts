/** What `init` writes into projects of every kind; in this process, as there are many. */
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runThere } from '../../../src/cli/init/generate-step.ts'
import { init } from '../../../src/cli/init/init.ts'
import { readSchemaBlocks } from '../../../src/cli/init/schema-blocks.ts'
import { findPackageManager, hintFor } from '../../../src/cli/package-manager.ts'
import { createFile, overwriteFile } from '../../../src/cli/project-file.ts'
import type { PrintContext } from '../../../src/cli/setup-commands.ts'
import { ERRORS } from '../../../src/errors.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowcast-init-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true })
  await writeFile(join(folder, name), text)
}
const read = (name: string) => readFile(join(folder, name), 'utf8')

/** Runs it. @returns what it printed */
async function run(env: Record<string, string> = {}, schema?: string): Promise<string> {
  const lines: string[] = []
  const terminal: PrintContext['terminal'] = {
    width: 80,
    backlog: () => null,
    print: (...printed) => void lines.push(...printed),
    style: (_, text) => text,
  }
  await init({ schema }, { folder, terminal, env })
  return lines.join('\n')
}

const DATASOURCE = 'datasource db {\n  provider = "postgresql"\n}\n'
const CLIENT = 'generator client {\n  provider = "prisma-client"\n  output   = "../src/generated/prisma"\n}\n'
const MODEL = 'model Thing {\n  id Int @id\n}\n'
const BLOCK =
  'generator rowcast {\n  provider = "rowcast-generator"\n  output   = "../src/generated/rowcast.ts"\n}\n'

describe('the schema', () => {
  const place = 'prisma/schema.prisma'

  it.each([
    ['a brace in a string', CLIENT.replace('\n}', '\n  binaryTargets = ["}"]\n  x = "a } \\" b }"\n}')],
    ['a brace in a comment', CLIENT.replace('\n}', '\n  // }\n  /// {\n  /* } */\n}')],
    ['a generator in a comment', `${CLIENT}// generator old {\n//   provider = "rowcast-generator"\n// }\n`],
    [
      'names beyond ASCII',
      `${CLIENT}\nmodel Größe {\n  maß_é Int @id\n  größe Größe_2?\n}\n\nenum Größe_2 {\n  ä\n}\n`,
    ],
    ['words behind the block', CLIENT.replace(/\n$/, ' // the client\n')],
    [
      'no space and tabs',
      'generator client{\n\tprovider="prisma-client"\n\toutput="../src/generated/prisma"\n}\n',
    ],
  ])('gets the block, whole, and nothing else is changed: %s', async (_, generator) => {
    const before = `${DATASOURCE}\n${generator}\n${MODEL}`
    await write(place, before)
    const printed = await run()
    const after = await read(place)
    expect(after.replace(`\n${BLOCK}`, '')).toBe(before)
    expect(readSchemaBlocks(after)?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Thing', 'client', 'db', 'rowcast']),
    )
    for (const line of BLOCK.trim().split('\n')) expect(printed).toContain(`  + ${line}`)
    await run()
    expect(await read(place)).toBe(after)
  })

  it('keeps its line ends and its byte order mark, also without a last line end', async () => {
    for (const text of [`\uFEFF${DATASOURCE}\n${CLIENT}`, `${DATASOURCE}\n${CLIENT}`.trimEnd()]) {
      const before = text.replaceAll('\n', '\r\n')
      await write(place, before)
      await run()
      const after = await read(place)
      expect(after).toBe(
        `${before}${before.endsWith('\n') ? '\r\n' : '\r\n\r\n'}${BLOCK.replaceAll('\n', '\r\n')}`,
      )
    }
  })

  it.each([
    `${CLIENT}model Thing {\n  id Int\n`,
    `${CLIENT}}\n`,
    `${CLIENT}/* never ends\n`,
    'generator client {\n x = "\n}\n',
  ])('is left alone where it is not understood: %j', async (text) => {
    await write(place, text)
    await expect(run()).rejects.toMatchObject({ code: 'CLI_SCHEMA_UNREADABLE' })
    expect(await read(place)).toBe(text)
  })

  it('is left alone where a comment is in another encoding, as its bytes would change', async () => {
    const bytes = Buffer.from(`// gr\u00f6\u00dfe\n${DATASOURCE}${CLIENT}`, 'latin1')
    await write(place, '')
    await writeFile(join(folder, place), bytes)
    await expect(run()).rejects.toMatchObject({ code: 'CLI_SCHEMA_UNREADABLE' })
    expect(await readFile(join(folder, place))).toEqual(bytes)
  })

  it.each([
    ['beside the schema', {}, '../database/prisma/migrations'],
    [
      'as that package’s Prisma config says',
      { 'prisma.config.ts': "export default { migrations: { path: 'sql' } }" },
      '../database/sql',
    ],
  ])('of another package: the config says where its migrations are, %s', async (_, files, migrations) => {
    const all: Record<string, string> = {
      'package.json': '{}',
      'prisma/schema.prisma': `${DATASOURCE}${CLIENT}${MODEL}`,
      ...files,
    }
    for (const [name, text] of Object.entries(all)) await write(`database/${name}`, text)
    await write('api/package.json', '{}')
    const root = folder
    folder = join(root, 'api')
    await run({}, '../database/prisma/schema.prisma').finally(() => {
      folder = root
    })
    expect(await read('api/rowcast.config.ts')).toContain(`dev: { migrationsFolder: "${migrations}" },`)
  })

  it.each([
    [
      'that has Prisma and no rowcast yet',
      { prisma: '~7.10.0', '@prisma/client': '~7.10.0' },
      ['(cd ../database && npm install rowcast)', '(cd ../database && npx prisma generate)'],
    ],
    ['that has both', { prisma: '~7.10.0', rowcast: '1' }, ['(cd ../database && npx prisma generate)']],
    [
      'that has no Prisma: it runs where rowcast does',
      {},
      ['npm install --save-dev prisma', 'npx prisma generate --schema ../database/prisma/schema.prisma'],
    ],
  ])('of another package %s: `prisma generate` runs there', async (_, dependencies, commands) => {
    await write('database/package.json', JSON.stringify({ devDependencies: dependencies }))
    await write('database/prisma/schema.prisma', `${DATASOURCE}${CLIENT}${MODEL}`)
    const names = ['graphql', '@pothos/core', '@pothos/plugin-prisma', '@prisma/adapter-pg']
    await write(
      'api/package.json',
      JSON.stringify({ dependencies: Object.fromEntries(names.map((name) => [name, '*'])) }),
    )
    await write('api/package-lock.json', '{}')
    await write('database/package-lock.json', '{}')
    const root = folder
    folder = join(root, 'api')
    const printed = await run({}, '../database/prisma/schema.prisma').finally(() => {
      folder = root
    })
    const steps = printed.slice(printed.indexOf('Next:')).split('\n').slice(1, -2)
    // rowcast's own peer is the project's to bring, in the version that the other package has.
    const client = `npm install @prisma/client${'prisma' in dependencies ? '@~7.10.0' : ''}`
    expect(steps.map((line) => line.trim().replace(/ +writes .*/, ''))).toEqual([client, ...commands])
  })

  it('is replaced as a whole, through links and in its mode: whoever has the old one open has all of it', async () => {
    await write('shared/models.prisma', `${DATASOURCE}${CLIENT}${MODEL}`)
    const file = join(folder, 'shared/models.prisma')
    await chmod(file, 0o640)
    await link(file, join(folder, 'before'))
    await mkdir(join(folder, 'prisma'))
    await symlink('../shared/models.prisma', join(folder, place))
    await run()
    expect(await read('shared/models.prisma')).toContain(BLOCK)
    expect((await stat(file)).mode & 0o777).toBe(0o640)
    expect((await lstat(join(folder, place))).isSymbolicLink()).toBe(true)
    expect(await read('before')).toBe(`${DATASOURCE}${CLIENT}${MODEL}`)
    expect(await readdir(join(folder, 'shared'))).toEqual(['models.prisma'])
  })

  it('that is there and cannot be read is said so, with the file', async () => {
    await write('prisma/schema/a.prisma', `${DATASOURCE}${CLIENT}${MODEL}`)
    await mkdir(join(folder, 'prisma/schema/archive.prisma'))
    await symlink('nowhere', join(folder, 'prisma/schema/b.prisma'))
    const failure = {
      code: 'CLI_FILE_UNREADABLE',
      message: expect.stringContaining('b.prisma cannot be read (ENOENT)'),
    }
    await expect(run()).rejects.toMatchObject(failure)
    await rm(join(folder, 'prisma'), { recursive: true })
    await mkdir(join(folder, 'prisma'))
    await symlink('schema.prisma', join(folder, place))
    await expect(run()).rejects.toMatchObject({
      code: 'CLI_FILE_UNREADABLE',
      message: expect.stringContaining('(ELOOP)'),
    })
  })

  it('a generator that is called rowcast, and is another one, keeps its name', async () => {
    await write(place, `${CLIENT}generator rowcast {\n  provider = "other"\n}\n`)
    await run()
    expect(await read(place)).toContain('generator rowcastCatalog {')
  })

  it('in several files gets it beside the client’s, once', async () => {
    await write('prisma/schema/a.prisma', MODEL)
    await write('prisma/schema/b.prisma', DATASOURCE)
    await write('prisma/schema/deep/c.prisma', CLIENT)
    await run()
    expect(await read('prisma/schema/deep/c.prisma')).toBe(`${CLIENT}\n${BLOCK}`)
    expect(await read('rowcast.config.ts')).toContain('from "./prisma/schema/src/generated/rowcast.ts"')
    await write('prisma/schema/0.prisma', BLOCK)
    await write('prisma/schema/deep/c.prisma', CLIENT)
    await run()
    expect(await read('prisma/schema/deep/c.prisma')).toBe(CLIENT)
  })
})

describe('a file that cannot be written', () => {
  it('is named with a hint, and a second run does the rest', async () => {
    await write('schema.prisma', `${DATASOURCE}\n${CLIENT}`)
    // Nothing is there to the one who asks, and yet it cannot be created.
    await symlink(join(folder, 'absent'), join(folder, 'rowcast.config.ts'))
    await expect(run()).rejects.toMatchObject({
      code: 'CLI_FILE_UNWRITABLE',
      happened: `${join(folder, 'rowcast.config.ts')} cannot be written (EEXIST).`,
    })
    const schema = await read('schema.prisma')
    await rm(join(folder, 'rowcast.config.ts'))
    await run()
    expect(await read('rowcast.config.ts')).toContain('defineConfig')
    expect(await read('schema.prisma')).toBe(schema)
  })

  it.each([
    ['a full disk', () => overwriteFile('/dev/full', 'text'), 'ENOSPC'],
    ['a file where its folder should be', () => createFile('/dev/null/a/b.sql', ''), /ENOTDIR|EEXIST/],
    ['a file that is there', () => createFile('/dev/null', ''), 'EEXIST'],
  ])('is one on or behind %s', async (_, write, reason) => {
    await expect(write()).rejects.toMatchObject({
      ...{ code: 'CLI_FILE_UNWRITABLE', happened: expect.stringMatching(reason), cause: expect.anything() },
    })
  })
})

it('blocks are read as they are written, whatever strings and comments hold', () => {
  const noise = fc.stringMatching(/^[{}"'\\/* a=]{0,12}$/)
  const literal = noise.map((text) => JSON.stringify(text))
  const line = fc.oneof(
    literal.map((text) => `  field = ${text}`),
    noise.map((text) => `  // ${text}`),
    noise.map((text) => `  id Int @default("${text.replace(/["\\]/g, '')}") /// ${text}`),
  )
  const block = fc.tuple(fc.stringMatching(/^[A-Za-z]\w{0,5}$/), fc.array(line, { maxLength: 4 }))
  fc.assert(
    fc.property(fc.array(block, { minLength: 1, maxLength: 4 }), (blocks) => {
      const text = blocks.map(([name, lines]) => `model ${name} {\n${lines.join('\n')}\n}\n`).join('')
      const found = readSchemaBlocks(text)
      expect(found?.map(({ name }) => name)).toEqual(blocks.map(([name]) => name))
      for (const { end } of found ?? []) expect(text.slice(end - 2, end)).toBe('\n}')
    }),
  )
})

const compilerOptions = (options: object) => JSON.stringify({ compilerOptions: options })

describe('the config', () => {
  const classic = 'generator client {\n  provider = "prisma-client-js"\n}\n'
  const nextjs = { module: 'esnext', moduleResolution: 'bundler' }

  it.each([
    [undefined, CLIENT, './src/generated/prisma/client.ts', './src/generated/rowcast.ts'],
    [{ module: 'nodenext' }, CLIENT, './src/generated/prisma/client.js', './src/generated/rowcast.js'],
    [{ module: 'Node16' }, CLIENT, './src/generated/prisma/client.js', './src/generated/rowcast.js'],
    [nextjs, CLIENT, './src/generated/prisma/client', './src/generated/rowcast'],
    [{ module: 'commonjs' }, CLIENT, './src/generated/prisma/client', './src/generated/rowcast'],
    [
      { module: 'nodenext', allowImportingTsExtensions: true },
      CLIENT,
      './src/generated/prisma/client.ts',
      './src/generated/rowcast.ts',
    ],
    [
      nextjs,
      CLIENT.replace('\n}', '\n  generatedFileExtension = "mts"\n}'),
      './src/generated/prisma/client.mjs',
      './src/generated/rowcast',
    ],
    [nextjs, classic, '@prisma/client', './prisma/generated/rowcast'],
    [
      nextjs,
      classic.replace('\n}', '\n  output = "../node_modules/.prisma/client"\n}'),
      '@prisma/client',
      './prisma/generated/rowcast',
    ],
    [nextjs, classic.replace('\n}', '\n  output = "../db"\n}'), './db', './rowcast'],
    [
      { module: 'nodenext' },
      classic.replace('\n}', '\n  output = "../db"\n}'),
      './db/index.js',
      './rowcast.js',
    ],
    [
      nextjs,
      CLIENT.replace('../src/generated', '../.generated'),
      './.generated/prisma/client',
      './.generated/rowcast',
    ],
  ])('imports as the project’s tsconfig.json wants it: %j', async (options, generator, client, catalog) => {
    if (options !== undefined) await write('tsconfig.json', compilerOptions(options))
    await write('prisma/schema.prisma', `${DATASOURCE}${generator}${MODEL}`)
    await run()
    const text = await read('rowcast.config.ts')
    expect(text).toContain(`import { PrismaClient } from "${client}"\n`)
    expect(text).toContain(`import { catalog } from "${catalog}"\n`)
    expect(text).toContain('// models: { Thing: {')
  })

  it.each([
    ['{ "type": "commonjs" }', { module: 'nodenext' }, 'mts', 'mjs'],
    ['{}', { module: 'commonjs' }, 'mts', 'mjs'],
    ['{ "type": "module" }', { module: 'nodenext' }, 'ts', 'js'],
    ['{}', { module: 'preserve' }, 'ts', ''],
  ])(
    'is a module of its own where verbatimModuleSyntax meets CommonJS: %s %j',
    async (file, options, extension, imported) => {
      await write('package.json', file)
      await write('tsconfig.json', compilerOptions({ ...options, verbatimModuleSyntax: true }))
      await write('prisma/schema.prisma', `${DATASOURCE}${CLIENT}`)
      await run()
      expect(await read('prisma/schema.prisma')).toContain(`"../src/generated/rowcast.${extension}"`)
      const text = await read(`rowcast.config.${extension}`)
      expect(text).toContain(`"./src/generated/rowcast${imported === '' ? '' : `.${imported}`}"`)
    },
  )

  it.each([
    ['./catalog.ts', undefined, './prisma/catalog.ts'],
    ['../lib/live/tables.ts', { module: 'nodenext' }, './lib/live/tables.js'],
    ['../lib/tables.mts', { module: 'esnext', moduleResolution: 'bundler' }, './lib/tables.mjs'],
  ])(
    'imports the catalog from where a generator that is there writes it: %s',
    async (output, options, catalog) => {
      if (options !== undefined) await write('tsconfig.json', compilerOptions(options))
      const own = `generator live {\n  provider = "node node_modules/.bin/rowcast-generator"\n  output = "${output}"\n}\n`
      await write('prisma/schema.prisma', `${DATASOURCE}${CLIENT}${own}${MODEL}`)
      await run()
      expect(await read('rowcast.config.ts')).toContain(`import { catalog } from "${catalog}"\n`)
    },
  )

  it('gives its example of a model that Prisma Client has', async () => {
    const ignored = 'model Audit {\n  note String\n\n  @@map("audit")\n  @@ignore // no key\n}\n'
    await write('prisma/schema.prisma', `${DATASOURCE}${CLIENT}${ignored}${MODEL}`)
    await run()
    expect(await read('rowcast.config.ts')).toContain('// models: { Thing: {')
  })

  it('reads a tsconfig.json with comments, of another one', async () => {
    await write('base.json', compilerOptions({ module: 'nodenext' }))
    await write(
      'tsconfig.json',
      '{\n  // a comment, "quoted"\n  "extends": "./base", /* { */\n  "compilerOptions": { "strict": true, },\n}',
    )
    await write('prisma/schema.prisma', `${DATASOURCE}${CLIENT}`)
    await run()
    expect(await read('rowcast.config.ts')).toContain('rowcast.js"')
  })
})

it('of a package in a monorepo with one tsconfig.json the config imports as that wants it', async () => {
  await write('tsconfig.json', compilerOptions({ module: 'nodenext', verbatimModuleSyntax: true }))
  await write('apps/api/package.json', '{ "type": "commonjs" }')
  await write('apps/api/prisma/schema.prisma', `${DATASOURCE}${CLIENT}${MODEL}`)
  const root = folder
  folder = join(root, 'apps/api')
  await run().finally(() => {
    folder = root
  })
  const text = await read('apps/api/rowcast.config.mts')
  expect(text).toContain('import { PrismaClient } from "./src/generated/prisma/client.js"\n')
  expect(text).toContain('import { catalog } from "./src/generated/rowcast.mjs"\n')
})

describe('what is missing', () => {
  beforeEach(() => write('prisma/schema.prisma', `${DATASOURCE}${CLIENT}`))

  it.each([
    ['package-lock.json', 'npm install ', 'npx prisma generate'],
    ['pnpm-lock.yaml', 'pnpm add ', 'pnpm exec prisma generate'],
    ['yarn.lock', 'yarn add ', 'yarn prisma generate'],
    ['bun.lock', 'bun add ', 'bunx prisma generate'],
    ['deno.lock', 'deno add npm:', 'deno run -A npm:prisma generate'],
  ])('is named with the command of the package manager of %s', async (lock, install, generate) => {
    await write(lock, '')
    const printed = await run({ npm_config_user_agent: 'npm/11.0.0 node/v24' })
    expect(printed.replace('graphql@16', 'graphql').replaceAll(' npm:@', ' @')).toContain(
      `${install}graphql @pothos/core @pothos/plugin-prisma @prisma/client @prisma/adapter-pg`,
    )
    expect(printed).toContain(generate)
  })

  it('or of the one that runs, or that package.json names; and Prisma’s packages go together', async () => {
    expect(await run({ npm_config_user_agent: 'pnpm/10.1.0 npm/? node/v24' })).toContain('pnpm add graphql')
    const dependencies = { '@prisma/client': '~7.10.0', graphql: '16' }
    await write('package.json', JSON.stringify({ packageManager: 'yarn@4.9.0', dependencies }))
    const printed = await run()
    expect(printed).toContain('yarn add @pothos/core @pothos/plugin-prisma @prisma/adapter-pg@~7.10.0')
    expect(printed).toContain('yarn add --dev prisma')
  })
})

describe('commands in hints', () => {
  const manager = (lock: string) => findPackageManager(folder, { npm_config_user_agent: lock })

  it.each([
    ['npm/11', 'Run `npx prisma generate`, then `npx rowcast enable --dry-run`; not `ALTER`.'],
    ['pnpm/10', 'Run `pnpm exec prisma generate`, then `pnpm exec rowcast enable --dry-run`; not `ALTER`.'],
    ['yarn/4', 'Run `yarn prisma generate`, then `yarn rowcast enable --dry-run`; not `ALTER`.'],
    ['bun/1', 'Run `bunx prisma generate`, then `bunx rowcast enable --dry-run`; not `ALTER`.'],
  ])('are those of %s', (agent, hint) => {
    expect(
      hintFor(manager(agent), 'Run `prisma generate`, then `rowcast enable --dry-run`; not `ALTER`.'),
    ).toBe(hint)
  })

  it('name no package manager where they are written', () => {
    const named = Object.entries(ERRORS).filter(([, { hint }]) =>
      /\b(npx|bunx|pnpm exec|yarn (prisma|rowcast))\b/.test(hint),
    )
    expect(named.map(([code]) => code)).toEqual([])
  })

  it('and package.json may name it under devEngines', async () => {
    await write('package.json', '{ "devEngines": { "packageManager": { "name": "pnpm", "version": "10" } } }')
    expect(manager('npm/11').name).toBe('pnpm')
  })
})

describe('what runs in the package that has the schema', () => {
  it('runs in a shell of its own, and on Windows goes there and back', () => {
    const commands = ['npm install rowcast', 'npx prisma generate']
    expect(runThere(commands, '"../my db"', '../app', 'linux')).toEqual([
      '(cd "../my db" && npm install rowcast)',
      '(cd "../my db" && npx prisma generate)',
    ])
    expect(runThere(commands, '../db', '../app', 'win32')).toEqual(['cd ../db', ...commands, 'cd ../app'])
  })
})
