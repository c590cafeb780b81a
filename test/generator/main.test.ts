/** The generator as Prisma runs it, and the file it writes as TypeScript and Node read it. */
import { readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { catalogFromDmmf } from '../../src/generator/catalog-from-dmmf.ts'
import { createSchemaFolder, prismaGenerate, readGenerateInput, runNode } from './prisma-generate.ts'

const MODELS = `
datasource db {
  provider = "postgresql"
}

/// It's "quoted" \\ and \`ticked\` and \${braced}.
model Thing {
  a     Int
  b     String
  state State @default(OFF)
  bag   Keyless?
  @@id([a, b])
}

model Keyless {
  code   String @unique
  thingA Int
  thingB String
  thing  Thing @relation(fields: [thingA, thingB], references: [a, b])
  @@unique([thingA, thingB])
}

enum State {
  ON
  OFF @map("not-on")
}
`
const CLIENT = `
generator client {
  provider            = "prisma-client"
  output              = "./client"
  importFileExtension = "ts"
}
`
const ROWCAST = `
generator rowcast {
  provider      = "node --import tsx src/generator/main.ts"
  output        = "./deep/er/rowcast.ts"
  rowcastImport = "../../rowcast-types.ts"
}
`
/** Stands in for the package, so that this test needs nothing of it but the types. */
const ROWCAST_TYPES = `
export type { Change } from '../../../src/changes/change.ts'
export type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
`
const USE = `
import { type Change, catalog, type ModelName, type RowcastModels } from './deep/er/rowcast.ts'
const name: ModelName = 'Keyless'
const composite: RowcastModels['Thing']['key'] = { a: 1, b: '' }
const none: RowcastModels['Keyless']['key'] = null
// @ts-expect-error the key has two fields
const half: RowcastModels['Thing']['key'] = { a: 1 }
export const state = (change: Change<'Thing'>): 'ON' | 'OFF' | undefined => change.new?.state
export const read = [catalog.models[name].table, composite.b, none, half]
`

test('prisma generate writes a file that compiles strictly and is the catalog', {
  timeout: 60_000,
}, async () => {
  await using folder = await createSchemaFolder(MODELS + CLIENT + ROWCAST)
  const generated = await prismaGenerate(folder)
  expect(generated).toMatchObject({ status: 0, output: expect.stringContaining('Generated rowcast catalog') })

  await writeFile(folder.path('rowcast-types.ts'), ROWCAST_TYPES)
  await writeFile(folder.path('use.ts'), USE)
  await writeFile(
    folder.path('tsconfig.json'),
    JSON.stringify({
      extends: '../../../tsconfig.json',
      compilerOptions: { rootDir: '../../..' },
      include: ['.'],
    }),
  )
  expect(await runNode('node_modules/typescript/bin/tsc', '--project', folder.path('tsconfig.json'))).toEqual(
    {
      status: 0,
      output: '',
    },
  )

  const file: { catalog: ModelCatalog } = await import(pathToFileURL(folder.path('deep/er/rowcast.ts')).href)
  const input = await readGenerateInput(MODELS)
  expect(file.catalog).toEqual(catalogFromDmmf(input.dmmf.datamodel, input.datamodel))

  const before = await readFile(folder.path('deep/er/rowcast.ts'), 'utf8')
  await prismaGenerate(folder)
  expect(await readFile(folder.path('deep/er/rowcast.ts'), 'utf8')).toBe(before)
})

test('prisma generate fails with the code and the hint', { timeout: 60_000 }, async () => {
  await using folder = await createSchemaFolder(MODELS + ROWCAST)
  const { status, output } = await prismaGenerate(folder)
  expect(status).toBe(1)
  expect(output).toContain('[GENERATOR_NO_CLIENT]')
  expect(output).toContain('Hint: Add `generator client')
})
