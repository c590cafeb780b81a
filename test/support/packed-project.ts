/** Somebody else's project: a folder of its own with the packed tarball of this package in it. */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { packTarball } from './packed-tarball.ts'

export const ROOT = join(import.meta.dirname, '../..')

const run = promisify(execFile)

/** What a command printed. */
interface Printed {
  readonly stdout: string
  readonly stderr: string
}

/** A program that runs until its test has seen enough. */
export interface RunningProgram extends AsyncDisposable {
  /** Resolves with the first line that has the words in it. */
  said(words: string): Promise<string>
  readonly lines: readonly string[]
  readonly ended: Promise<unknown>
}

/** The project. */
export interface PackedProject extends AsyncDisposable {
  readonly folder: string
  /** A file in it, with the folders that it needs. */
  write(name: string, text: string): Promise<void>
  run(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Printed>
  /** The same, for one that fails: what it printed and its exit code. */
  fail(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Printed & { code: number }>
  start(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): RunningProgram
}

/** How to make one. */
export interface PackedProjectOptions {
  /** A folder of this repository to begin with; what it says of `rowcast` in its package.json is replaced. */
  readonly from?: string | undefined
  /** More packages to install. */
  readonly packages?: readonly string[] | undefined
  readonly env: NodeJS.ProcessEnv
}

/** A Prisma schema with one model, before `rowcast init`; the client goes to `output`. */
export function userSchema(output: string): string {
  return `datasource db {
  provider = "postgresql"
}

generator client {
  provider = "prisma-client"
  output   = "${output}"
}

model User {
  id    Int    @id @default(autoincrement())
  email String @unique
}
`
}

/** Makes a project and installs what it needs; the registry must be reachable. */
export async function createPackedProject(options: PackedProjectOptions): Promise<PackedProject> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-newcomer-'))
  // Prisma's CLI would download an engine that `generate` does not need.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', ...options.env }
  const packageFile = join(folder, 'package.json')
  if (options.from === undefined) {
    await writeFile(packageFile, '{ "name": "shop", "private": true, "type": "module" }')
  } else {
    await cp(join(ROOT, options.from), folder, {
      recursive: true,
      filter: (path) => !/node_modules|generated$/.test(path.slice(ROOT.length)),
    })
  }
  const tarball = await packTarball(folder)
  const given = JSON.parse(await readFile(packageFile, 'utf8')) as { dependencies?: Record<string, string> }
  await writeFile(
    packageFile,
    JSON.stringify({ ...given, dependencies: { ...given.dependencies, rowcast: `file:${tarball}` } }),
  )
  const quietly = ['--no-audit', '--no-fund', '--prefer-offline']
  const { stdout, stderr } = await run('npm', ['install', ...quietly, ...(options.packages ?? [])], {
    cwd: folder,
  })
  if (!existsSync(join(folder, 'node_modules/rowcast')))
    throw new Error(`npm ended well and installed nothing in ${folder}:\n${stdout}${stderr}`)
  return openProject(folder, env)
}

/** Packages that are installed once for many projects. */
export interface PackageStore extends AsyncDisposable {
  readonly folder: string
  /** A project with these packages, linked and not copied, and the files given, by name. */
  open(files: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv): Promise<PackedProject>
}

/** Installs the packed tarball and the packages; the registry must be reachable. */
export async function createPackageStore(packages: readonly string[]): Promise<PackageStore> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-store-'))
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  const quietly = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts']
  await run('npm', ['install', ...quietly, await packTarball(folder), ...packages], { cwd: folder })
  return {
    folder,
    async open(files, env) {
      const project = await mkdtemp(join(tmpdir(), 'rowcast-stranger-'))
      await run('cp', ['-al', join(folder, 'node_modules'), project])
      // What Prisma writes there is this project's own.
      await rm(join(project, 'node_modules/.prisma'), { recursive: true, force: true })
      const opened = openProject(project, {
        ...process.env,
        PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
        ...env,
      })
      for (const [name, text] of Object.entries(files)) await opened.write(name, text)
      return opened
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Where this repository's packages are; those of the first are found before those of the others. */
const SETS = ['test/servers/node_modules', 'node_modules']

/**
 * A project with the packed tarball, unpacked, and links to the packages that this repository has installed: nothing is asked of the registry, so what
 * the tarball says of its versions does not count.
 * @param packages what there is beside rowcast and what it depends on. @default all
 */
export async function openLinkedProject(
  files: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  packages?: readonly string[],
): Promise<PackedProject> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-linked-'))
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, 'rowcast'), { recursive: true })
  await run('tar', [
    '-xzf',
    await packTarball(folder),
    '--strip-components=1',
    '-C',
    join(modules, 'rowcast'),
  ])
  if (packages === undefined) for (const set of SETS) await linkPackages(join(ROOT, set), modules)
  else await linkNamed(modules, packages)
  await mkdir(join(modules, '.bin'))
  for (const [name, file] of Object.entries(PROGRAMS)) {
    const isOurs = file.startsWith('rowcast/')
    const path = join(isOurs ? modules : join(ROOT, 'node_modules'), file)
    await symlink(path, join(modules, '.bin', name))
    if (isOurs) await chmod(path, 0o755)
  }
  const project = openProject(folder, {
    ...process.env,
    // As npx and the scripts of npm have it.
    PATH: `${join(modules, '.bin')}:${process.env['PATH']}`,
    PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
    ...env,
  })
  for (const [name, text] of Object.entries(files)) await project.write(name, text)
  return project
}

/** Those that are named, and where npm would find them, those that rowcast depends on. */
async function linkNamed(modules: string, packages: readonly string[]): Promise<void> {
  const own = join(modules, 'rowcast')
  const { dependencies } = JSON.parse(await readFile(join(own, 'package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>
  }
  for (const name of Object.keys(dependencies)) await linkPackage(name, join(own, 'node_modules'))
  for (const name of packages) await linkPackage(name, modules)
}

/** @throws where none of this repository's sets has it */
export async function linkPackage(name: string, modules: string): Promise<void> {
  const from = SETS.map((set) => join(ROOT, set, name)).find((path) => existsSync(path))
  if (from === undefined) throw new Error(`${name} is in none of ${SETS.join(', ')}.`)
  await mkdir(dirname(join(modules, name)), { recursive: true })
  if (!existsSync(join(modules, name))) await symlink(from, join(modules, name))
}

const PROGRAMS: Readonly<Record<string, string>> = {
  prisma: 'prisma/build/index.js',
  tsx: 'tsx/dist/cli.mjs',
  rowcast: 'rowcast/dist/cli/main.js',
  'prisma-pothos-types': '@pothos/plugin-prisma/bin/generator.js',
  'rowcast-generator': 'rowcast/dist/generator/main.js',
}

async function linkPackages(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (name.startsWith('.')) continue
    if (name.startsWith('@')) {
      await mkdir(join(to, name), { recursive: true })
      await linkPackages(join(from, name), join(to, name))
    } else if (!existsSync(join(to, name))) await symlink(join(from, name), join(to, name))
  }
}

/** A folder as a project; it is deleted at the end. */
export function openProject(folder: string, env: NodeJS.ProcessEnv): PackedProject {
  const at = (more: NodeJS.ProcessEnv = {}) => ({ cwd: folder, env: { ...env, ...more } })
  return {
    folder,
    async write(name, text) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    },
    run: (command, args, more) => run(command, args, at(more)),
    fail: (command, args, more) =>
      run(command, args, at(more)).then(
        ({ stdout }) => {
          throw new Error(`${command} ${args.join(' ')} did not fail: ${stdout}`)
        },
        (error: Printed & { code: number }) => error,
      ),
    start: (command, args, more) => startProgram(command, args, at(more)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

function startProgram(
  command: string,
  args: readonly string[],
  at: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): RunningProgram {
  // A group of its own: some package managers do not pass a signal on to what they run.
  const child = spawn(command, args, { ...at, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const lineWith = (words: string) => lines.find((line) => line.includes(words))
  return {
    lines,
    ended,
    async said(words) {
      await expect
        .poll(() => lineWith(words), { timeout: 60_000, message: `${words}, among:\n${lines.join('\n')}` })
        .toBeDefined()
      return lineWith(words) ?? ''
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
      await ended
    },
  }
}
