/** The words are true: every code block compiles, validates or parses, every link leads somewhere. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { buildSchema, extendSchema, parse, validate } from 'graphql'
import { expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { init } from '../src/cli/init/init.ts'
import { ERRORS } from '../src/errors.ts'
import { DEFAULT_LIMITS } from '../src/server/limits/limits.ts'
import { withConfigTables } from './support/config-docs.ts'
import { linesOfPages, listBlocks, listPages } from './support/doc-blocks.ts'
import { formatErrorDocs } from './support/error-docs.ts'

const ROOT = join(import.meta.dirname, '..')

/** Packages of others that examples import: those examples are compiled by `npm run test:peers`, which installs them. */
const PEERS = Object.keys(
  JSON.parse(readFileSync(join(ROOT, 'test/peers/package.json'), 'utf8')).devDependencies,
)
const ARE_PEERS_THERE = existsSync(join(ROOT, 'test/node_modules'))
/** Servers are in a set of their own; what the root has as well is taken from there. */
const SERVERS = join(ROOT, 'test/servers')
const SERVER_PACKAGES = Object.keys(
  JSON.parse(readFileSync(join(SERVERS, 'package.json'), 'utf8')).devDependencies,
).filter((name) => !existsSync(join(ROOT, 'node_modules', name)))
const ARE_SERVERS_THERE = existsSync(join(SERVERS, 'node_modules/.installed'))
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

it('every block is of a language that is checked', () => {
  const checked = ['ts', 'tsx', 'graphql', 'sql', 'bash', 'prisma', 'json', 'yaml', 'nginx']
  const others = listBlocks().filter(({ language }) => !checked.includes(language))
  expect(others.map(({ place, language }) => `${place} ${language}`)).toEqual([])
})

it('TypeScript compiles', { timeout: 120_000 }, async () => {
  await mkdir(join(ROOT, 'test/generated'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, 'test/generated/docs-'))
  try {
    const places = new Map<string, string>()
    const blocks = [...listBlocks('ts'), ...listBlocks('tsx')].filter(
      ({ text }) =>
        (ARE_PEERS_THERE || !PEERS.some((name) => text.includes(`'${name}`))) &&
        (ARE_SERVERS_THERE || !SERVER_PACKAGES.some((name) => text.includes(`'${name}`))),
    )
    for (const name of ARE_SERVERS_THERE ? SERVER_PACKAGES : []) {
      await mkdir(dirname(join(folder, 'node_modules', name)), { recursive: true })
      await symlink(join(SERVERS, 'node_modules', name), join(folder, 'node_modules', name))
    }
    const lib = blocks.findIndex(({ text }) => text.startsWith('// lib/rowcast.ts'))
    for (const [index, { place, text, language }] of blocks.entries()) {
      const file = `block-${index}.${language}`
      places.set(file, place)
      // The user's generated files are the sample's here. Next.js' have no extension in imports, and it replaces `process.env.…` as it is written.
      const code = text
        .replace("'./generated/prisma/client'", "'./generated/client/client.ts'")
        .replace("'./generated/rowcast'", "'./generated/rowcast.ts'")
        .replace("'./lib/rowcast'", `'./block-${lib}.ts'`)
        .replace('process.env.NEXT_RUNTIME', "process.env['NEXT_RUNTIME']")
        .replaceAll(/'\.\/((prisma|billing)\/)?generated\//g, "'../../../prisma/generated/")
        .replaceAll("'./generated/client", "'../../../prisma/generated/client")
      await writeFile(join(folder, file), `${code}\nexport {}\n`)
    }
    const config = {
      extends: '../../../tsconfig.json',
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        jsx: 'react-jsx',
        // As projects of NestJS have it.
        experimentalDecorators: true,
        lib: ['es2023', 'dom', 'esnext.disposable'],
      },
      include: ['*.ts', '*.tsx', '../../support/doc-preamble.d.ts'],
      exclude: [],
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch(
      (error: { stdout: string }) => error,
    )
    const faults = stdout
      .split('\n')
      .filter((line) => line.includes('error TS'))
      .map((line) => line.replace(/^.*(block-\d+\.tsx?)/, (_, file: string) => `${places.get(file)} `))
    expect(faults).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})

it.each(listBlocks('graphql').map((block) => [block.place, block.text] as const))(
  'GraphQL of %s is valid',
  (_, text) => {
    const schema = buildSchema(read('schema.graphql'))
    expect(validate(schema, parse(text))).toEqual([])
  },
)

/** Pages whose code asks the sample. */
const ASKING = /^docs\/(client|live-lists|live-sets|metadata|resume|transactions|filters)\.md/

/** Operations that stand in code, or within a line. */
const OPERATION =
  /(?<![\w\\])([`'"])((?:subscription|query)\b[^`'"]*\{[^`]*?\}|\{ \w+[^:;`'"]*\{[^`'"]*\} \})\1/g

const operations = [...listBlocks('ts'), ...listBlocks('tsx'), ...linesOfPages()]
  .filter(({ place }) => ASKING.test(place))
  .flatMap(({ place, text }) =>
    [...text.matchAll(OPERATION)].map(([, , operation]) => [place, String(operation)] as const),
  )
  .filter(([, operation]) => !operation.includes('…'))

it('finds operations in code', () => expect(operations.length).toBeGreaterThan(8))

it.each(operations)('the operation in %s is valid: %s', (_, text) => {
  // As a config with `showMetadata` has it.
  const metadata = ['Committed', 'Change'].map((name) => `extend type ${name}Transaction { metadata: JSON }`)
  const shown = text.replaceAll(/metadata \{[^}]*\}/g, 'metadata')
  const schema = extendSchema(buildSchema(read('schema.graphql')), parse(metadata.join(' ')))
  expect(validate(schema, parse(shown))).toEqual([])
})

it.each(listBlocks('json').map((block) => [block.place, block.text] as const))(
  'JSON of %s parses',
  (_, text) => {
    JSON.parse(text)
  },
)

it.each(listBlocks('yaml').map((block) => [block.place, block.text] as const))(
  'YAML of %s parses',
  (_, text) => {
    expect(parseYaml(text)).toBeTypeOf('object')
  },
)

it('what pages add to a Prisma schema is what init adds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-docs-'))
  try {
    const schemaFile = join(folder, 'schema.prisma')
    await writeFile(schemaFile, 'datasource db {\n  provider = "postgresql"\n}\n')
    const terminal = { width: 80, print() {}, style: (_style: string, text: string) => text }
    await init({ schema: schemaFile }, { folder, terminal, env: {} } as unknown as Parameters<typeof init>[1])
    const blocks = listBlocks('prisma')
    expect(blocks.length).toBeGreaterThan(0)
    for (const { text } of blocks) expect(readFileSync(schemaFile, 'utf8')).toContain(text)
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('commands exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const program = read('src/cli/project-commands.ts') + read('src/cli/main.ts')
  const unknown = listBlocks('bash').flatMap(({ place, text }) =>
    text.split('\n').flatMap((line) => {
      const [, script] = /^npm run (\S+)/.exec(line) ?? []
      const [, command] = /^(?:npx )?rowcast (\S+)/.exec(line) ?? []
      const isKnown =
        line.trim() === '' ||
        /^(#|npm (install|test|pack)|npx prisma |docker compose )/.test(line) ||
        (script !== undefined && Object.hasOwn(scripts, script)) ||
        (command !== undefined && new RegExp(`command\\('${command}'\\)`).test(program))
      return isKnown ? [] : [`${place}: ${line}`]
    }),
  )
  expect(unknown).toEqual([])
})

it('links lead somewhere', () => {
  const dead = listPages().flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(join(ROOT, dirname(page), link)))
      .map((link) => `${page} → ${link}`),
  )
  expect(dead).toEqual([])
})

it('the tables of the configuration page are those of the options', () => {
  const page = read('docs/configuration.md')
  expect(page, 'run npm run docs:config').toBe(withConfigTables(page))
  const security = read('docs/security.md')
  expect(Object.keys(DEFAULT_LIMITS).filter((name) => !security.includes(`\`${name}\``))).toEqual([])
})

it('the runbook is the error table', () => {
  expect(read('docs/operations.md'), 'run npm run docs:errors').toBe(formatErrorDocs())
})

it('codes that the pages name exist', () => {
  const others = new Set([
    ...['INTERNAL_SERVER_ERROR', 'NODE_ENV', 'DATABASE_URL'],
    // Names that servers commonly use.
    ...['GRAPHQL_PARSE_FAILED', 'GRAPHQL_VALIDATION_FAILED'],
  ])
  const named = listPages().flatMap((page) =>
    [...read(page).matchAll(/`((?:SOURCE|WIRE|CATALOG|CONFIG|GRAPHQL|SERVER|POLICY|BROKER)_[A-Z_]+)`/g)].map(
      (match) => [page, match[1] ?? ''] as const,
    ),
  )
  expect(named.filter(([, code]) => !Object.hasOwn(ERRORS, code) && !others.has(code))).toEqual([])
})
