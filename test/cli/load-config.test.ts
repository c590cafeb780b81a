/** Finding and loading rowcast.config.*, in projects of every kind, in a process without any loader of its own. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { findConfigFile } from '../../src/cli/load-config.ts'

const ROOT = join(import.meta.dirname, '../..')
let compiled: string
let folder: string

/** load-config.ts and what it imports, as the build makes them. */
beforeAll(() => {
  compiled = mkdtempSync(join(tmpdir(), 'rowcast-loader-'))
  const config = join(compiled, 'tsconfig.json')
  const compilerOptions = {
    ...{ noEmit: false, outDir: join(compiled, 'dist'), rootDir: join(ROOT, 'src') },
    typeRoots: [join(ROOT, 'node_modules/@types')],
  }
  const files = [join(ROOT, 'src/cli/load-config.ts')]
  writeFileSync(
    config,
    JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] }),
  )
  writeFileSync(join(compiled, 'package.json'), '{ "type": "module" }')
  symlinkSync(join(ROOT, 'node_modules'), join(compiled, 'node_modules'))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const child = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(child.stdout)
}, 120_000)
afterAll(() => rmSync(compiled, { recursive: true }))
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rowcast-config-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

interface Loaded {
  readonly value?: unknown
  readonly code?: string
  readonly message?: string
  /** What the process wrote beside: warnings of Node.js. */
  readonly noise: string
}

/** Loads a file in a Node.js of its own, from compiled code. */
function load(file: string, flags: readonly string[] = [], before = ''): Loaded {
  const loader = join(compiled, 'dist/cli/load-config.js')
  const script = `
    import { loadConfigFile } from ${JSON.stringify(pathToFileURL(loader).href)}
    ${before}
    const print = (result) => console.log(JSON.stringify(result))
    await loadConfigFile(${JSON.stringify(file)}).then(
      (value) => print({ value }),
      (error) => print({ code: error.code, message: error.message }),
    )`
  const args = [...flags, '--input-type=module', '--eval', script]
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: ROOT })
  if (child.status !== 0) throw new Error(child.stderr)
  return { ...(JSON.parse(child.stdout) as object), noise: child.stderr }
}

test('TypeScript comes before JavaScript, and the usual names are found', () => {
  const js = write('rowcast.config.mjs', '')
  expect(findConfigFile(folder)).toBe(js)
  const ts = write('rowcast.config.ts', '')
  expect(findConfigFile(folder)).toBe(ts)
  expect(findConfigFile(folder, 'rowcast.config.mjs')).toBe(js)
  expect(findConfigFile('/', js)).toBe(js)
})

test('no file is an error that says where was looked', () => {
  expect(() => findConfigFile(folder)).toThrow(
    `[CONFIG_FILE_NOT_FOUND] There is no rowcast.config.ts (nor .mts, .cts, .js, .mjs, .cjs) in ${folder}.`,
  )
  expect(() => findConfigFile(folder, 'other.ts')).toThrow(
    '[CONFIG_FILE_NOT_FOUND] There is no file other.ts',
  )
  expect(() => findConfigFile(folder)).toThrow('Run `rowcast init`')
})

/** What package.json says of modules. */
const PACKAGES = {
  'no type': '{}',
  'type commonjs': '{ "type": "commonjs" }',
  'type module': '{ "type": "module" }',
}

/** A generated client's way to import its own files, an enum, an alias, JSON, and a package. */
const CONFIG_TS = `
import * as Enums from './generated/enums.js'
import { extra } from './generated/extra'
import { level } from '@/level'
import data from './data.json'
import { parse } from 'graphql'
enum Answer { yes = 42 }
type Config = { readonly answer: number }
const later: number = await Promise.resolve(1)
const config: Config = { answer: Answer.yes + Enums.one + extra + level + data.one + later - 5 }
export default typeof parse === 'function' ? config : null`

describe.each(Object.entries(PACKAGES))('with %s', (_, packageText) => {
  beforeEach(() => {
    write('package.json', packageText)
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  })

  it.each(['rowcast.config.ts', 'rowcast.config.mts'])('%s is loaded with all that it imports', (name) => {
    write('tsconfig.json', '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } } // comments are fine')
    write('generated/enums.ts', 'export const one: number = 1')
    write('generated/extra.ts', "import { one } from './enums.js'\nexport const extra: number = one")
    write('src/level.ts', 'export const level: number = 1')
    write('data.json', '{ "one": 1 }')
    expect(load(write(name, CONFIG_TS))).toEqual({ value: { answer: 42 }, noise: '' })
  })

  it('JavaScript is loaded, and what it imports in TypeScript', () => {
    write('answer.ts', 'enum Answer { yes = 42 }\nexport const answer: number = Answer.yes')
    expect(load(write('rowcast.config.mjs', 'export default { answer: 42 }'))).toEqual({
      value: { answer: 42 },
      noise: '',
    })
    const mixed = write('rowcast.config.js', "import { answer } from './answer'\nexport default { answer }")
    expect(load(mixed).value).toEqual({ answer: 42 })
  })

  it('CommonJS is loaded', () => {
    const plain = write('rowcast.config.cjs', 'module.exports = { answer: 42 }')
    expect(load(plain)).toEqual({ value: { answer: 42 }, noise: '' })
    const compiledConfig = write(
      'other.cjs',
      "'use strict'\nObject.defineProperty(exports, '__esModule', { value: true })\nexports.default = { answer: 42 }",
    )
    expect(load(compiledConfig).value).toEqual({ answer: 42 })
    expect(load(write('rowcast.config.cts', 'export = { answer: 42 as number }')).value).toEqual({
      answer: 42,
    })
  })
})

test("a loader of the user's is asked first", () => {
  const hooks = pathToFileURL(join(ROOT, 'node_modules/tsx/dist/loader.mjs')).href
  write('package.json', '{ "type": "module" }')
  const file = write('rowcast.config.ts', 'export default { seen: import.meta.url as string }')
  expect(load(file, ['--import', hooks]).value).toMatchObject({ seen: expect.stringContaining('file://') })
})

test('a tsconfig.json that cannot be read has no say', () => {
  write('tsconfig.json', '{ "extends": "@tsconfig/not-installed" }')
  expect(load(write('rowcast.config.ts', 'export default { answer: 42 as number }')).value).toEqual({
    answer: 42,
  })
})

test('of a package there is one copy, for the config and for rowcast', () => {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const names = ['@prisma/client/runtime/client', 'graphql']
  const file = write(
    'rowcast.config.ts',
    `import { Decimal } from '${names[0]}'
import { GraphQLError } from '${names[1]}'
export default { isOne: [Decimal === globalThis.own[0].Decimal, GraphQLError === globalThis.own[1].GraphQLError] }`,
  )
  const own = `globalThis.own = await Promise.all(${JSON.stringify(names)}.map((name) => import(name)))`
  expect(load(file, [], own).value).toEqual({ isOne: [true, true] })
})

describe('what was made of TypeScript', () => {
  const cached = (): readonly string[] => {
    const cache = join(folder, 'node_modules/.cache/rowcast')
    return existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name)) : []
  }
  const project = (answer: number): string => {
    write('app/generated.ts', `export const answer = ${answer} as number`)
    return write(
      'app/rowcast.config.ts',
      "import { answer } from './generated.js'\nexport default { answer }",
    )
  }

  it('is kept beside the packages, and not made again until the text is another one', () => {
    mkdirSync(join(folder, 'node_modules/rowcast'), { recursive: true })
    expect(load(project(41)).value).toEqual({ answer: 41 })
    const made = cached()
    expect(made).toHaveLength(2)
    // What is read is what is kept: the text says the same.
    for (const file of made) {
      const text = readFileSync(file, 'utf8')
      writeFileSync(file, text.replace('answer = 41', 'answer = 40'))
    }
    expect(load(project(41)).value).toEqual({ answer: 40 })
    expect(load(project(42)).value).toEqual({ answer: 42 })
    // A process that ended while it wrote.
    for (const file of cached()) writeFileSync(file, readFileSync(file).subarray(0, 20))
    expect(load(project(42)).value).toEqual({ answer: 42 })
  })

  it('is read by nobody else, as a config may hold secrets, and what cannot be kept is made all the same', () => {
    const cache = join(folder, 'node_modules/.cache/rowcast')
    mkdirSync(join(folder, 'node_modules/rowcast'), { recursive: true })
    expect(load(project(41)).value).toEqual({ answer: 41 })
    expect(statSync(cache).mode & 0o777).toBe(0o700)
    chmodSync(cache, 0o755)
    // No file can be written there: for root, rights are none.
    for (const file of cached()) {
      rmSync(file)
      symlinkSync(join(folder, 'none', 'none'), file)
    }
    expect(load(project(42)).value).toEqual({ answer: 42 })
    expect(statSync(cache).mode & 0o777).toBe(0o700)
  })

  it('is kept nowhere else', () => {
    mkdirSync(join(folder, 'node_modules'))
    expect(load(project(42)).value).toEqual({ answer: 42 })
    expect(readdirSync(join(folder, 'node_modules'))).toEqual([])
    mkdirSync(join(folder, 'node_modules/rowcast'))
    // A file in the way, as a file system that nobody writes to: for root, rights are none.
    writeFileSync(join(folder, 'node_modules/.cache'), '')
    expect(load(project(42)).value).toEqual({ answer: 42 })
  })
})

describe('a file that cannot be loaded is one error', () => {
  const thrown =
    "globalThis.runs = (globalThis.runs ?? 0) + 1\nthrow new Error('no such thing, run ' + globalThis.runs)"

  it.each(['rowcast.config.mjs', 'rowcast.config.ts'])('with its reason, %s, and is run once', (name) => {
    const { code, message } = load(write(name, thrown))
    expect(code).toBe('CONFIG_FILE_UNREADABLE')
    expect(message).toContain('no such thing, run 1')
  })

  it.each([
    [
      './generated/client.js',
      'Run `npx prisma generate` if that is a generated file. If its generator writes it elsewhere',
    ],
    ['not-installed/deep', 'Run `npm install not-installed`'],
    ['@scope/none', 'Run `npm install @scope/none`'],
  ])('that says what is missing, %s, and what was tried', (missing, hint) => {
    for (const name of ['rowcast.config.ts', 'rowcast.config.mjs']) {
      const { code, message } = load(write(name, `import x from '${missing}'\nexport default x`))
      expect(code).toBe('CONFIG_FILE_UNREADABLE')
      expect(message).toContain(missing)
      expect(message).toContain(hint)
      const tried = name.endsWith('ts') ? 'loaded with jiti.' : `Node.js ${process.versions.node}, then jiti.`
      expect(message).toContain(tried)
      expect(message).not.toContain('Require stack')
      // A line break of somebody else's words is shown as characters.
      expect(message).not.toContain('\\n')
    }
  })

  it('with the place of a syntax error', () => {
    const { code, message } = load(write('rowcast.config.ts', 'const a = {;\nexport default a'))
    expect([code, message]).toEqual([
      'CONFIG_FILE_UNREADABLE',
      expect.stringContaining('rowcast.config.ts:1:11'),
    ])
  })
})
