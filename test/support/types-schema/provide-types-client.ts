/** The Prisma Client and the catalog of the types schema, generated when first asked for and after a change. */
import { existsSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { invariant } from '../../../src/errors.ts'
import { runNode } from '../../generator/prisma-generate.ts'
import type { PrismaConstructor } from '../prisma-rows.ts'

const SCHEMA = join(import.meta.dirname, 'schema.prisma')
const OUTPUT = join(import.meta.dirname, '../../generated/types')
/** The file of the catalog, once `provideTypesClient` has made it. */
export const TYPES_CATALOG = join(OUTPUT, 'catalog.ts')

/** Statements that create the schema's tables. */
export const TYPES_TABLES = join(import.meta.dirname, 'tables.sql')

/** What was generated. */
export interface TypesClient {
  readonly catalog: ModelCatalog
  readonly PrismaClient: PrismaConstructor
}

/** Generates where needed, and imports. */
export async function provideTypesClient(): Promise<TypesClient> {
  if (!existsSync(TYPES_CATALOG) || statSync(TYPES_CATALOG).mtimeMs < statSync(SCHEMA).mtimeMs) {
    await mkdir(OUTPUT, { recursive: true })
    const result = await runNode('node_modules/prisma/build/index.js', 'generate', '--schema', SCHEMA)
    invariant(result.status === 0, `prisma generate failed: ${result.output}`)
  }
  const { catalog } = await import(pathToFileURL(TYPES_CATALOG).href)
  const { PrismaClient } = await import(pathToFileURL(join(OUTPUT, 'client/client.ts')).href)
  return { catalog, PrismaClient }
}
