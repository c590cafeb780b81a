/**
 * The recipes of CONTRIBUTING.md, each half done in a copy of the code: the compiler or a test names what is forgotten. All of them
 * are done in one copy, so that the compiler runs once.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

/** The first step of a recipe: text put after other text of a file. */
interface Step {
  readonly file: string
  readonly after: string
  readonly added: string
  /** Files in which the compiler misses something then. */
  readonly found: readonly string[]
}

const STEPS: Readonly<Record<string, Step>> = {
  'a type': {
    file: 'src/catalog/values/type-table.ts',
    after: "    ['xml', 142, 143, 'Xml', textCodec],\n",
    added: "    ['circle', 718, 719, 'Circle', textCodec],\n",
    found: ['src/bus/filter/field-domain.ts', 'test/support/type-docs.ts'],
  },
  'an operator': {
    file: 'src/bus/filter/operators.ts',
    after: 'export const SCALAR_OPERATORS = {\n',
    added: "  near: { needs: 'equality', operand: 'value', description: 'The value is near this one.' },\n",
    found: ['test/types/where.test-d.ts'],
  },
  'an option that has no row': {
    file: 'src/config/config.ts',
    after: 'export interface EnvironmentConfig {\n',
    added: '  readonly colour?: string | undefined\n',
    found: ['src/config/options.ts'],
  },
  'an option that nobody reads': {
    file: 'src/config/options.ts',
    after: 'export const OPTIONS = {\n',
    added: "  flavour: option({ check: maybe(isText), byDefault: '–', meaning: 'the flavour' }),\n",
    found: ['src/config/options.ts'],
  },
  'an option of the library that has no row': {
    file: 'src/source/durability-options.ts',
    after: 'export interface DurabilityOptions {\n',
    added: '  readonly patience?: number | undefined\n',
    found: ['src/source/durability-options.ts'],
  },
  'an option of a model that refuses what its type allows': {
    file: 'src/config/config.ts',
    after: "readonly replicaIdentity?: 'full' | 'keep'",
    added: " | 'index'",
    found: ['src/config/model-options.ts'],
  },
  'a broker engine': {
    file: 'src/broker/engines.ts',
    after: 'export const ENGINES = {\n',
    added: "  other: { protocols: ['other:'], create: createRedisEngine },\n",
    found: ['test/support/broker-engines.ts'],
  },
  'a transport': {
    file: 'src/server/session/context.ts',
    after: "readonly kind: 'http' | 'sse' | 'multipart'",
    added: " | 'other'",
    found: [
      'src/server/result-stream-formats.ts',
      'src/server/graphql-endpoints.ts',
      'test/security/transports.ts',
    ],
  },
  'a transport that has a row': {
    file: 'src/server/result-stream-formats.ts',
    after: 'const BY_KIND = {\n',
    added: '  another: EVENT_STREAM,\n',
    found: ['src/server/result-stream-formats.ts'],
  },
  'an error after which clients go on': {
    file: 'src/errors.ts',
    after: 'export const ERRORS = {\n',
    added:
      "  NEW_FAULT: { means: 'Something is new.', hint: 'Get used to it.', retry: 'never', isPublic: true, clientGoesOn: 'again' },\n",
    found: ['src/client/resumable-subscription.ts'],
  },
}

/** What tests find that the compiler cannot: the name of the file, and what it says. */
const FOUND_BY_TESTS: readonly (readonly [file: string, says: RegExp])[] = [
  ['test/architecture.test.ts', /no source throws NEW_FAULT/],
  ['test/catalog/values/type-coverage.test.ts', /"Circle"/],
  ['test/docs-filters.test.ts', /near/],
  ['test/config/options-are-read.test.ts', /flavour/],
  ['test/docs-transports.test.ts', /FAIL .*names each transport/],
]

const FILES_MAX = 3

/** What each recipe names: paths in backquotes, and links. */
const RECIPES = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8')
  .split(/^## /m)
  .find((section) => section.startsWith('Recipes\n'))
  ?.split('\n\n')
  .flatMap((text): readonly [name: string, paths: readonly string[]][] => {
    const [, name] = /^\*\*To (.+?)\*\*/.exec(text) ?? []
    const paths = [...text.matchAll(/`([\w./-]*[/.][\w./-]*)`|\]\(([^)]+)\)/g)].map(
      ([, path, link]) => path ?? link,
    )
    return name === undefined ? [] : [[name, [...new Set(paths.filter((path) => path !== undefined))]]]
  })

describe.each(RECIPES ?? [])('the recipe to %s', (_name, paths) => {
  it('names what there is', () => {
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it(`names ${FILES_MAX} files at most`, () => {
    expect(paths.filter((path) => !path.endsWith('/')).length).toBeLessThanOrEqual(FILES_MAX)
  })
})

it('has the recipes that were asked for', () => {
  const names = RECIPES?.map(([name]) => name) ?? []
  for (const thing of ['PostgreSQL type', 'operator', 'option', 'error', 'transport', 'broker engine'])
    expect(names.filter((name) => name.includes(thing))).toHaveLength(1)
})

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowcast-recipes-'))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const part of ['src', 'test', 'docs', 'prisma', 'vitest.config.ts', 'tsconfig.json', 'package.json'])
    await cp(join(ROOT, part), join(folder, part), {
      recursive: true,
      // Packages of the sets below test/ are half a gigabyte.
      filter: (path) => basename(path) !== 'node_modules',
    })
  for (const { file, after, added } of Object.values(STEPS)) {
    const path = join(folder, file)
    const text = await readFile(path, 'utf8')
    expect(text, file).toContain(after)
    await writeFile(path, text.replace(after, after + added))
  }
}, 60_000)

afterAll(() => rm(folder, { recursive: true }))

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  // Where all tests run together, `unit` has none of the files that others run: here it has to find each.
  const { ROWCAST_TEST_TOGETHER: _, ...env } = process.env
  const settled = run(program, args, { cwd: folder, env, maxBuffer: 2 ** 26 })
  return await settled.then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { readonly stdout: string; readonly stderr: string }) => error.stdout + error.stderr,
  )
}

it('what the compiler finds', { timeout: 240_000 }, async () => {
  const config = {
    extends: './tsconfig.json',
    include: [
      'src',
      'test/support/type-docs.ts',
      'test/support/broker-engines.ts',
      'test/security/transports.ts',
      'test/types/where.test-d.ts',
    ],
  }
  await writeFile(join(folder, 'tsconfig.recipes.json'), JSON.stringify(config))
  const output = await outputOf(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.recipes.json'])
  const faulty = new Set([...output.matchAll(/^(\S+?)\(\d+,\d+\): error/gm)].map(([, file]) => file))
  for (const [recipe, { found }] of Object.entries(STEPS))
    for (const file of found) expect([...faulty], `${recipe}\n${output}`).toContain(file)
})

it('what tests find', { timeout: 240_000 }, async () => {
  const files = [...new Set(FOUND_BY_TESTS.map(([file]) => file))]
  const output = await outputOf(join(ROOT, 'node_modules/.bin/vitest'), [
    ...['run', '--root', folder, '--project', 'unit', '--no-color'],
    ...files,
  ])
  for (const [file, says] of FOUND_BY_TESTS) {
    expect(output).toContain(file)
    expect(output).toMatch(says)
  }
})
