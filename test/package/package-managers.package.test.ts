/**
 * The packed tarball installed by other package managers than npm, of the newest version of each: `init`, `prisma generate`, `serve` without its peers, which
 * names them with the command of that package manager, and with them. The table of docs/projects.md.
 * Takes minutes: `ROWCAST_LONG=1 npm run test:package -- test/package/package-managers.package.test.ts`, or one of them with `ROWCAST_MANAGER=2`.
 */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openProject, type PackedProject, userSchema } from '../support/packed-project.ts'
import { packTarball } from '../support/packed-tarball.ts'
import { subscribeSse } from '../support/sse-client.ts'

const NODE_24 = `node-${process.platform}-${process.arch}`

interface Row {
  readonly name: string
  /** Its folder in the tools' node_modules. */
  readonly tool: string
  /** What is installed there. */
  readonly from: string
  /** The program in its package.json. */
  readonly bin: string
  /** What runs a program of the project. */
  readonly exec: readonly string[]
  /** As hints name it. */
  readonly shown: { readonly add: string; readonly run: string }
  readonly files?: Readonly<Record<string, string>>
  /** Node.js 24 instead of this one: yarn 1 stops where a package of Prisma's asks for Node.js 22, and Prisma's program needs it for Plug'n'Play. */
  readonly isNode24?: boolean
}

const BERRY = 'yarn-berry@npm:@yarnpkg/cli-dist'
const yarn = { add: 'yarn add', run: 'yarn' }

const ROWS: readonly Row[] = [
  {
    ...{ name: 'pnpm', tool: 'pnpm', from: 'pnpm', bin: 'pnpm', exec: ['exec'] },
    shown: { add: 'pnpm add', run: 'pnpm exec' },
    // Prisma's install scripts, which nothing here needs: it stops at them, and asks.
    files: { 'pnpm-workspace.yaml': 'strictDepBuilds: false\n' },
  },
  {
    name: 'yarn 1',
    tool: 'yarn',
    from: 'yarn@1',
    bin: 'yarn',
    exec: ['--silent'],
    shown: yarn,
    isNode24: true,
  },
  {
    ...{ name: 'yarn 4, node-modules', tool: 'yarn-berry', from: BERRY, bin: 'yarn', exec: [], shown: yarn },
    files: { 'yarn.lock': '', '.yarnrc.yml': 'nodeLinker: node-modules\n' },
  },
  {
    ...{ name: "yarn 4, Plug'n'Play", tool: 'yarn-berry', from: BERRY, bin: 'yarn', exec: [], shown: yarn },
    ...{ files: { 'yarn.lock': '', '.yarnrc.yml': 'nodeLinker: pnp\n' }, isNode24: true },
  },
  {
    ...{ name: 'bun', tool: 'bun', from: 'bun', bin: 'bun', exec: ['x'] },
    shown: { add: 'bun add', run: 'bunx' },
  },
]

const named = process.env['ROWCAST_MANAGER']
const isLong = process.env['ROWCAST_LONG'] === '1' || named !== undefined
const CHOSEN = named === undefined ? ROWS : ROWS.slice(Number(named), Number(named) + 1)

let tools: PackedProject
let tarball = ''

beforeAll(async () => {
  if (!isLong) return
  tools = openProject(await mkdtemp(join(tmpdir(), 'rowcast-tools-')), process.env)
  await tools.write('package.json', '{ "private": true, "allowScripts": { "bun": true } }')
  const names = new Set(CHOSEN.map(({ from }) => from))
  if (CHOSEN.some(({ isNode24 }) => isNode24 === true)) names.add(`${NODE_24}@24`)
  await tools.run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...names])
  tarball = await packTarball(tools.folder)
}, 600_000)
afterAll(() => tools?.[Symbol.asyncDispose]())

async function programOf(folder: string, name: string): Promise<string> {
  const { bin } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    bin: Readonly<Record<string, string>>
  }
  return join(folder, bin[name] ?? '')
}

const SCHEMA = userSchema('../src/generated/prisma')

it.skipIf(!isLong).each(CHOSEN)(
  '$name',
  async (row) => {
    await using database = await openDatabase()
    await database.query('CREATE TABLE "User" (id serial PRIMARY KEY, email text NOT NULL UNIQUE)')
    const modules = join(tools.folder, 'node_modules')
    const path = [
      ...(row.isNode24 === true ? [join(modules, NODE_24, 'bin')] : []),
      process.env['PATH'] ?? '',
    ]
    const folder = await mkdtemp(join(tmpdir(), 'rowcast-manager-'))
    await using project = openProject(folder, {
      ...{ ...process.env, PATH: path.join(':'), DATABASE_URL: database.url, PORT: '0' },
      ...{
        PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
        YARN_ENABLE_TELEMETRY: '0',
        YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
      },
    })
    await project.write('package.json', '{ "name": "shop", "private": true, "type": "module" }')
    await project.write('prisma/schema.prisma', SCHEMA)
    for (const [name, text] of Object.entries(row.files ?? {})) await project.write(name, text)
    const program = await programOf(join(modules, row.tool), row.bin)
    const command = (args: readonly string[]) =>
      /\.[cm]?js$/.test(program) ? (['node', [program, ...args]] as const) : ([program, args] as const)
    const exec = (...args: string[]) => command([...row.exec, ...args])

    const prisma = ['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`)
    await project.run(...command(['add', ...prisma, `rowcast@file:${tarball}`]))
    const { stdout } = await project.run(...exec('rowcast', 'init'))
    expect(stdout).toContain(`${row.shown.run} prisma generate`)
    await project.run(...exec('prisma', 'generate'))
    const refused = await project.fail(...exec('rowcast', 'serve'))
    const [, peers = ''] =
      new RegExp(`Run \`${row.shown.add} ([^\`]+)\``).exec(`${refused.stdout}${refused.stderr}`) ?? []
    expect(peers).toMatch(/^graphql(@16)? @pothos\/core @pothos\/plugin-prisma$/)
    await project.run(...command(['add', ...peers.split(' ')]))

    await using server = project.start(...exec('rowcast', 'serve'))
    const { url } = JSON.parse(await server.said('"Listening."')) as { url: string }
    await expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)
    const stream = await subscribeSse(url, 'subscription { userChanged { action new { email } } }')
    await database.query(`INSERT INTO "User" (email) VALUES ('ada@example.com')`)
    const change = { action: 'INSERT', new: { email: 'ada@example.com' } }
    expect(await stream.next()).toEqual({ data: { userChanged: change } })
    stream.unsubscribe()
  },
  1_200_000,
)
