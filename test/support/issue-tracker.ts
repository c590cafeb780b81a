/** Builds examples/issues in this repository, where `rowcast` is its sources: what its own scripts do elsewhere. */
import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build as bundle } from 'rolldown'
import { build } from 'vite'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The project. */
export const ISSUES = join(ROOT, 'examples/issues')
/** Its page and its programs. */
export const ISSUES_DIST = join(ISSUES, 'dist')

const SOURCES = {
  'rowcast/pothos': 'src/graphql/plugin/rowcast-plugin.ts',
  'rowcast/server': 'src/server/create-server.ts',
  rowcast: 'src/index.ts',
}

/** Prisma Client and the catalog, where the schema is newer than they are. */
export async function generateIssues(): Promise<void> {
  const made = join(ISSUES, 'generated/rowcast.ts')
  const schema = join(ISSUES, 'prisma/schema.prisma')
  if (existsSync(made) && statSync(made).mtimeMs > statSync(schema).mtimeMs) return
  const bin = join(ISSUES, 'generated/bin')
  mkdirSync(bin, { recursive: true })
  const generator = join(bin, 'rowcast-generator')
  writeFileSync(generator, `#!/bin/sh\nexec node --import tsx '${join(ROOT, 'src/generator/main.ts')}'\n`)
  chmodSync(generator, 0o755)
  const prisma = createRequire(import.meta.url).resolve('prisma/build/index.js')
  await promisify(execFile)(process.execPath, [prisma, 'generate', '--no-hints'], {
    cwd: ISSUES,
    env: {
      ...process.env,
      // Any program: Prisma downloads one where none is named, and needs none to generate.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      PATH: [bin, join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    },
  })
}

/** A program of its server, as one file; packages stay where they are. */
export async function bundleIssues(entry: 'main' | 'print-schema'): Promise<string> {
  const file = join(ISSUES_DIST, `${entry}.js`)
  await bundle({
    input: join(ISSUES, `server/${entry}.ts`),
    platform: 'node',
    external: /^(?!\.|\/|rowcast)/,
    resolve: {
      alias: Object.fromEntries(Object.entries(SOURCES).map(([name, path]) => [name, join(ROOT, path)])),
    },
    logLevel: 'silent',
    output: { file, format: 'esm', codeSplitting: false },
  })
  return file
}

/** The page, from documents that are typed by now. */
export async function buildIssuesPage(): Promise<string> {
  const outDir = join(ISSUES_DIST, 'page')
  const config = { root: ISSUES, configFile: join(ISSUES, 'vite.config.ts'), logLevel: 'silent' } as const
  await build({ ...config, build: { outDir, emptyOutDir: true } })
  return outDir
}

/** Runs one of its programs until it is killed. */
export function startIssues(file: string, env: Readonly<Record<string, string>>) {
  return spawn(process.execPath, [file], {
    cwd: ISSUES,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
