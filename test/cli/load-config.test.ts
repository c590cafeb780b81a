/** Finding and loading rowcast.config.*, JavaScript and TypeScript, in a process without any loader too. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findConfigFile } from '../../src/cli/load-config.ts'

const ROOT = join(import.meta.dirname, '../..')
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rowcast-config-'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** Loads a file in a Node.js of its own, with its own TypeScript support only, from compiled rowcast code. */
function load(file: string): { readonly value?: unknown; readonly code?: string; readonly message?: string } {
  const loader = compileLoader()
  const script = `
    import { loadConfigFile } from ${JSON.stringify(pathToFileURL(loader).href)}
    const print = (result) => console.log(JSON.stringify(result))
    await loadConfigFile(${JSON.stringify(file)}).then(
      (value) => print({ value }),
      (error) => print({ code: error.code, message: error.message }),
    )`
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(child.stderr)
  return JSON.parse(child.stdout) as ReturnType<typeof load>
}

/** load-config.ts and errors.ts as the build makes them. */
function compileLoader(): string {
  const out = join(folder, 'compiled')
  mkdirSync(out, { recursive: true })
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const config = write(
    'tsconfig.json',
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        outDir: out,
        rootDir: join(ROOT, 'src'),
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      files: [join(ROOT, 'src/cli/load-config.ts')],
      include: [],
    }),
  )
  const child = spawnSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(child.stdout)
  return join(out, 'cli/load-config.js')
}

/** TypeScript that needs more than types removed, as some generated code does. */
const CONFIG_TS = `
  enum Answer { yes = 42 }
  const config: { answer: number } = { answer: Answer.yes }
  export default config`

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
    `[CONFIG_FILE_NOT_FOUND] There is no rowcast.config.ts (nor .mts, .js, .mjs) in ${folder}.`,
  )
  expect(() => findConfigFile(folder, 'other.ts')).toThrow(
    '[CONFIG_FILE_NOT_FOUND] There is no file other.ts',
  )
})

test('JavaScript is loaded', () => {
  expect(load(write('rowcast.config.mjs', 'export default { answer: 42 }'))).toEqual({
    value: { answer: 42 },
  })
})

test("TypeScript is loaded with the project's tsx", () => {
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(join(ROOT, 'node_modules/tsx'), join(folder, 'node_modules/tsx'))
  expect(load(write('rowcast.config.ts', CONFIG_TS))).toEqual({ value: { answer: 42 } })
})

test('TypeScript without a loader is an error that names the ways out', () => {
  const result = load(write('rowcast.config.ts', CONFIG_TS))
  expect(result.code).toBe('CONFIG_LOADER_MISSING')
  expect(result.message).toContain('npm install --save-dev tsx')
})

test('a file that throws is an error with its reason', () => {
  const result = load(write('rowcast.config.mjs', 'throw new Error("no such thing")'))
  expect(result.code).toBe('CONFIG_FILE_UNREADABLE')
  expect(result.message).toContain('no such thing')
})
