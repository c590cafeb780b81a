/** What commands load at once: a worker has no graphql, and who has a schema of their own no Pothos. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

const CLI = join(import.meta.dirname, '../../src/cli')

/** Packages that a file imports, and what it imports does; but types, and what is imported once it is needed. */
function packagesLoadedBy(file: string, seen = new Map<string, readonly string[]>()): ReadonlySet<string> {
  if (!seen.has(file)) {
    const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
    const imports = [...text.matchAll(/^(?:import|export) (?!type )(?:[^';]*? from )?'([^']+)'/gm)]
    const names = imports.map(([, name = '']) => name)
    seen.set(
      file,
      names.filter((name) => !name.startsWith('.')),
    )
    for (const name of names) if (name.startsWith('.')) packagesLoadedBy(join(dirname(file), name), seen)
  }
  return new Set([...seen.values()].flat())
}

const loadedAt = (command: string) => [...packagesLoadedBy(join(CLI, command))]
const isPothos = (name: string) => name.startsWith('@pothos/')

/** The files that commands are in, but those that serve. */
const COMMANDS = [
  'main.ts',
  '../index.ts',
  ...new Set(
    [...readFileSync(join(CLI, 'project-commands.ts'), 'utf8').matchAll(/import\('\.\/([^']+)'\)/g)].map(
      ([, name = '']) => name,
    ),
  ),
]

it('knows the commands', () => {
  expect(COMMANDS).toEqual(expect.arrayContaining(['doctor/doctor.ts', 'plan.ts', 'tail.ts', 'generate.ts']))
  expect(loadedAt('tail.ts')).toContain('pg')
  expect(loadedAt('serve.ts')).toContain('graphql')
})

it.each(COMMANDS)('%s needs neither graphql nor Pothos', (command) => {
  expect(loadedAt(command).filter((name) => name === 'graphql' || isPothos(name))).toEqual([])
})

/** What serving needs before it listens; what is needed later, or by some only, is imported then. */
const NEEDED_AT_START: readonly string[] = [
  ...['aliases', 'depth', 'directives'].map((rule) => `@escape.tech/graphql-armor-max-${rule}`),
  ...['@prisma/client/runtime/client', 'commander', 'graphql', 'graphql-ws', 'graphql-yoga'],
  ...['pg', 'pino', 'valibot', 'ws'],
]

it('serving loads at once what it needs before it listens, and nothing else', () => {
  const loaded = new Set(
    [...loadedAt('main.ts'), ...loadedAt('serve.ts')].filter((name) => !name.startsWith('node:')),
  )
  expect([...loaded].sort()).toEqual(NEEDED_AT_START)
})

it.each([
  'serve.ts',
  'dev.ts',
  'replay-service.ts',
  '../server/create-server.ts',
  '../graphql/kit/schema-kit.ts',
])('%s needs no Pothos where there is a schema', (file) => {
  expect(loadedAt(file).filter(isPothos)).toEqual([])
})
