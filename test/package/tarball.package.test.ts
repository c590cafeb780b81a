/** What the tarball holds: what users need, and none of what made it. Runs after `npm run build`. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { ROOT } from '../support/packed-project.ts'
import { packTarball } from '../support/packed-tarball.ts'

interface Packed {
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

/**
 * Packed, in bytes: a third are the packages of dist/bundled, which nobody installs beside it; a fourth is GraphiQL, which as a
 * dependency was 18 MB of every installation. It is stored as it is sent, and read when a browser first asks.
 * 1.84 MB in November 2026, without docblocks in the code.
 */
const SIZE_MAX = 1_950_000

let listed: Promise<Packed | undefined> | undefined

/** What `npm pack` would pack. */
function pack(): Promise<Packed | undefined> {
  listed ??= listPacked()
  return listed
}

async function listPacked(): Promise<Packed | undefined> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--silent'], {
    cwd: ROOT,
    maxBuffer: 10_000_000,
  })
  return (JSON.parse(stdout) as readonly Packed[])[0]
}

it('holds the built package, its licence, words and dashboard, and nothing else', async () => {
  const packed = await pack()
  const paths = packed?.files.map(({ path }) => path) ?? []
  expect(paths.filter((path) => !/^(dist|docs|examples)\//.test(path)).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'dashboards/rowcast.json',
    'package.json',
  ])
  expect(paths.filter((path) => /sample|\.map$|\btest|node_modules|generated\//.test(path))).toEqual([])
  const isSource = (path: string) => /(?<!\.d)\.c?ts$/.test(path)
  expect(paths.filter((path) => isSource(path) && !path.startsWith('examples/'))).toEqual([])
  for (const entry of [
    'index',
    'client/client',
    'adapters/apollo',
    'adapters/react',
    'adapters/tanstack-db',
    'adapters/urql',
    'graphql/plugin/rowcast-plugin',
    'cli/main',
    'generator/main',
  ])
    expect(paths).toContain(`dist/${entry}.js`)
  for (const page of ['page', 'graphiql']) {
    expect(paths).toContain(`dist/${page}/index.html`)
    // Of those whose code is in it.
    expect(paths).toContain(`dist/${page}/licenses.md`)
  }
  expect(packed?.size).toBeLessThan(SIZE_MAX)
})

it('its pages link to what is in it, but for images', async () => {
  const paths = new Set((await pack())?.files.map(({ path }) => path))
  const pages = [...paths].filter((path) => path.endsWith('.md'))
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/cli.md', 'docs/getting-started.md']))
  for (const page of pages) {
    const text = await readFile(join(ROOT, page), 'utf8')
    const links = [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)].map(([, link = '']) => link)
    const local = links
      .filter((link) => !/^[a-z]+:|\.(png|webp)$/.test(link))
      .map((link) => posix.join(posix.dirname(page), link))
    const isThere = (path: string) =>
      paths.has(path) || [...paths].some((each) => each.startsWith(`${path}/`))
    expect([page, local.filter((path) => !isThere(path))]).toEqual([page, []])
  }
})

it('has the text of the licence of everything that is bundled, with who holds the copyright', async () => {
  const text = await readFile(join(ROOT, 'dist/bundled/LICENSES.txt'), 'utf8')
  const licences = text.split(`\n\n${'-'.repeat(80)}\n\n`)
  const nameOf = (licence: string) => licence.split('\n')[0] ?? ''
  expect(licences.length).toBeGreaterThan(20)
  const bare = licences.filter((each) => !/copyright/i.test(each) || each.length < 500)
  expect(bare.map(nameOf)).toEqual([])
  for (const name of [
    'graphql-yoga',
    'graphql-ws',
    'pino',
    '@redis/client',
    '@escape.tech/graphql-armor-max-depth',
  ])
    expect(licences.map(nameOf)).toContainEqual(expect.stringMatching(new RegExp(`^${name} \\d`)))
  expect(licences.map(nameOf).filter((name) => /^(graphql|@pothos\/|@prisma\/|prisma) /.test(name))).toEqual(
    [],
  )
})

it.each([
  ['index', ['@prisma/client/runtime/client']],
  ['client/client', ['graphql-ws']],
  ['adapters/react', ['graphql-ws']],
  ['adapters/tanstack-db', ['graphql-ws']],
  ['adapters/apollo', ['graphql-ws']],
  ['better-auth/realtime', ['@prisma/client/runtime/client']],
  ['server/create-server', ['graphql']],
  ['graphql/kit/schema-kit', ['@prisma/client/runtime/client', 'graphql']],
  [
    'graphql/plugin/rowcast-plugin',
    ['@pothos/core', '@pothos/plugin-prisma', '@prisma/client/runtime/client', 'graphql'],
  ],
])(
  'the types of %s name peers alone: nothing that is bundled, and no package without types',
  async (entry, peers) => {
    const seen = new Set<string>()
    const packages = new Set<string>()
    async function read(file: string): Promise<void> {
      if (seen.has(file)) return
      seen.add(file)
      const text = await readFile(join(ROOT, 'dist', file), 'utf8')
      for (const [, name = ''] of text.matchAll(/\b(?:from |import\()['"]([^'"]+)['"]/g)) {
        if (name.startsWith('.'))
          await read(posix.join(posix.dirname(file), name.replace(/\.[jt]s$/, '.d.ts')))
        else if (!name.startsWith('node:')) packages.add(name)
      }
    }
    await read(`${entry}.d.ts`)
    expect([...packages].sort()).toEqual(peers)
    expect(seen.size).toBeGreaterThan(5)
  },
)

/** What a worker installs beside Prisma Client, which it has anyway. */
const WORKER_BYTES_MAX = 10_000_000

it('adds less than 10 MB to a worker, and nothing that asks for another Node.js', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-weight-'))
  try {
    await writeFile(join(folder, 'package.json'), '{ "name": "worker", "private": true }')
    const tarball = await packTarball(folder)
    const { stderr } = await promisify(execFile)(
      'npm',
      ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball],
      { cwd: folder },
    )
    expect(stderr).not.toContain('EBADENGINE')
    const sizes = await sizesByPackage(join(folder, 'node_modules'))
    const own = Object.entries(sizes).filter(([name]) => !name.startsWith('@prisma/client'))
    expect(own.map(([name]) => name).filter((name) => /graphql|pothos|yoga|redis|pino/.test(name))).toEqual(
      [],
    )
    expect(sumOf(own.map(([, bytes]) => bytes))).toBeLessThan(WORKER_BYTES_MAX)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0)

async function sizesByPackage(modules: string): Promise<Readonly<Record<string, number>>> {
  const sizes: Record<string, number> = {}
  for (const entry of await readdir(modules, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const [first = '', second = ''] = path.slice(modules.length + 1).split('/')
    const name = first.startsWith('@') ? `${first}/${second}` : first
    sizes[name] = (sizes[name] ?? 0) + (await stat(path)).size
  }
  return sizes
}

it('can be bundled into CommonJS with the rest of an application: all of it loads, and its server listens', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-bundle-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(
    join(folder, 'program.js'),
    `import { buildSchema } from ${JSON.stringify(join(ROOT, 'node_modules/graphql/index.js'))}
    import { createRowcast } from ${JSON.stringify(join(ROOT, 'dist/index.js'))}
    import { createServer } from ${JSON.stringify(join(ROOT, 'dist/server/create-server.js'))}
    const quiet = () => {}
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet }
    const schema = buildSchema('type Query { a: Int }')
    const server = createServer({ schema, logger, port: 0, health: () => ({ ready: true }), ...JSON.parse(process.argv[2]) })
    server.listen().then(async ({ url }) => {
      const page = await fetch(new URL('/graphql', url), { headers: { accept: 'text/html' } })
      console.log(typeof createRowcast, page.status, await page.text())
      await server.close()
    })`,
  )
  const run = promisify(execFile)
  // As applications do for one file of Node.js: what it makes is CommonJS, where no module knows where it stands.
  const esbuild = join(ROOT, 'node_modules/.bin/esbuild')
  const bundle = join(folder, 'program.cjs')
  await run(esbuild, [join(folder, 'program.js'), '--bundle', '--platform=node', `--outfile=${bundle}`])
  const options = JSON.stringify({ graphiql: true })
  const { stdout } = await run(process.execPath, [bundle, options], { cwd: ROOT })
  expect(stdout).toMatch(/^function 404 .*external/)
})

it('says what to do where `require` reads no ES modules', async () => {
  const require = (entry: string) =>
    promisify(execFile)(
      process.execPath,
      ['--no-experimental-require-module', '--eval', `require(${JSON.stringify(join(ROOT, 'dist', entry))})`],
      { cwd: ROOT },
    )
  for (const entry of ['index.cjs', 'graphql/kit/schema-kit.cjs'])
    await expect(require(entry)).rejects.toThrow(
      /rowcast is ES modules, which `require` reads from .* on; this is /,
    )
})
