/** Runs `prisma generate` on a schema of the test's own, in a folder that is gone afterwards. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invariant } from '../../src/errors.ts'
import type { GenerateInput } from '../../src/generator/generate-file.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A folder below the git-ignored test/generated/, removed when the test is done with it. */
export interface SchemaFolder extends AsyncDisposable {
  /** Absolute path of `name` within. */
  path(name: string): string
}

/** Makes a folder with `schema.prisma` in it. */
export async function createSchemaFolder(schema: string): Promise<SchemaFolder> {
  await mkdir(join(ROOT, 'test/generated'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, 'test/generated/schema-'))
  await writeFile(join(folder, 'schema.prisma'), schema)
  return {
    path: (name) => resolve(folder, name),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** What a program printed, and how it ended. */
export interface ProgramResult {
  readonly status: number | null
  readonly output: string
}

/** Runs a Node program of the repository, from its root. */
export async function runNode(...args: readonly string[]): Promise<ProgramResult> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, NO_COLOR: '1' },
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    output += String(chunk)
  })
  const status = await new Promise<number | null>((done, fail) => {
    child.on('close', done)
    child.on('error', fail)
  })
  return { status, output }
}

/** Runs `prisma generate` on the folder's schema. */
export function prismaGenerate(folder: SchemaFolder): Promise<ProgramResult> {
  return runNode('node_modules/prisma/build/index.js', 'generate', '--schema', folder.path('schema.prisma'))
}

const PROBE = `
generator probe {
  provider = "node --import tsx test/generator/probe-generator.ts"
  output   = "./input.json"
}
`

/**
 * What Prisma hands to a generator for the models and blocks of `schema`, without its own generator blocks
 * having run.
 */
export async function readGenerateInput(schema: string): Promise<GenerateInput> {
  await using folder = await createSchemaFolder(schema + PROBE)
  const result = await runNode(
    'node_modules/prisma/build/index.js',
    'generate',
    '--generator',
    'probe',
    '--schema',
    folder.path('schema.prisma'),
  )
  invariant(result.status === 0, `prisma generate failed: ${result.output}`)
  return JSON.parse(await readFile(folder.path('input.json'), 'utf8')) as GenerateInput
}
