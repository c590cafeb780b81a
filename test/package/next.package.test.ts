/**
 * Next.js with the recipe of docs/projects.md, as it is written there: `next build` leaves nothing in the database, saves in `next dev` leave one reader,
 * and who does without the recipe is warned. Takes minutes: `ROWCAST_LONG=1 npm run test:package -- test/package/next.package.test.ts`.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import {
  createPackedProject,
  type PackedProject,
  ROOT,
  type RunningProgram,
  userSchema,
} from '../support/packed-project.ts'

const SCHEMA = userSchema('../lib/generated/prisma')

const PAGE = `import { rowcast } from '../lib/rowcast'

export const dynamic = 'force-dynamic'

export default function Page() {
  return <p>{\`save 0: \${rowcast.status().state}\`}</p>
}
`

const LAYOUT = `export default function Layout({ children }: { children: React.ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  )
}
`

/** What somebody writes who has not read the recipe. */
const CARELESS = `import { PrismaPg } from '@prisma/adapter-pg'
import { createRowcast } from 'rowcast'
import { PrismaClient } from './generated/prisma/client'
import { catalog } from './generated/rowcast'

const adapter = new PrismaPg({ connectionString: process.env['DATABASE_URL'] })
export const rowcast = createRowcast({ prisma: new PrismaClient({ adapter }), catalog }).register('User')
rowcast.start()
`

/** The files of the recipe, by the comment that each begins with. */
async function recipe(): Promise<readonly (readonly [name: string, text: string])[]> {
  const page = await readFile(join(ROOT, 'docs/projects.md'), 'utf8')
  const [, section = ''] = /\n## Next\.js\n([\s\S]*?)\n## /.exec(page) ?? []
  return [...section.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, name = '', text = '']) => [
    name,
    text,
  ])
}

/** Saves a file with the number of the save in it, and waits until the page has come with it. */
async function save(project: PackedProject, url: string, count: number, file: string): Promise<string> {
  const page = join(project.folder, 'app/page.tsx')
  await writeFile(page, (await readFile(page, 'utf8')).replace(/save \d+/, `save ${count}`))
  const saved = join(project.folder, file)
  await writeFile(saved, `${await readFile(saved, 'utf8')}// save ${count}\n`)
  let text = ''
  const look = async () => {
    text = await fetch(url).then(
      (response) => response.text(),
      () => '',
    )
    return text
  }
  await expect.poll(look, { timeout: 120_000, interval: 500 }).toContain(`save ${count}:`)
  return /save \d+: (\w+)/.exec(text)?.[1] ?? ''
}

async function addressOf(server: RunningProgram): Promise<string> {
  return /http:\S+/.exec(await server.said('- Local:'))?.[0] ?? ''
}

it.skipIf(process.env['ROWCAST_LONG'] !== '1')(
  'one reader after three saves, none after a build',
  async () => {
    await using database = await openDatabase()
    await database.query('CREATE TABLE "User" (id serial PRIMARY KEY, email text NOT NULL UNIQUE)')
    await using project = await createPackedProject({
      env: { DATABASE_URL: database.url, NEXT_TELEMETRY_DISABLED: '1' },
      packages: [
        ...['next@16', 'react@19', 'react-dom@19', 'typescript@~5.9', '@types/node@20', '@types/react@19'],
        ...['prisma', '@prisma/client', '@prisma/adapter-pg'].map((name) => `${name}@~7.10`),
      ],
    })
    const files = [
      ['prisma/schema.prisma', SCHEMA],
      ['app/page.tsx', PAGE],
      ['app/layout.tsx', LAYOUT],
      ...(await recipe()),
    ] as const
    expect(files.map(([name]) => name)).toEqual(
      expect.arrayContaining(['lib/rowcast.ts', 'instrumentation.ts', 'next.config.ts']),
    )
    for (const [name, text] of files) await project.write(name, text)
    await project.run('npx', ['rowcast', 'init'])
    await project.run('npx', ['prisma', 'generate'])

    await project.run('npx', ['next', 'build'])
    const slots = 'SELECT slot_name, active FROM pg_replication_slots WHERE database = current_database()'
    expect(await database.query('SELECT FROM pg_publication')).toEqual([])
    expect(await database.query(slots)).toEqual([])

    const dev = () => project.start('node', ['node_modules/next/dist/bin/next', 'dev', '--port', '0'])
    {
      await using server = dev()
      const url = await addressOf(server)
      for (const [index, file] of [
        'lib/rowcast.ts',
        'lib/generated/rowcast.ts',
        'instrumentation.ts',
      ].entries())
        expect(await save(project, url, index + 1, file)).toMatch(/streaming|preparing|connecting/)
      await expect.poll(() => database.query(slots), { timeout: 60_000 }).toMatchObject([{ active: true }])
      const readers = `SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'walsender'`
      expect(await database.query(readers)).toHaveLength(1)
    }

    await project.write('lib/rowcast.ts', CARELESS)
    await project.write('instrumentation.ts', 'export async function register() {}\n')
    await using server = dev()
    const url = await addressOf(server)
    for (const count of [4, 5, 6]) await save(project, url, count, 'lib/rowcast.ts')
    expect(await server.said('This process reads slot')).toContain('keep one rowcast on globalThis')
  },
  1_200_000,
)
