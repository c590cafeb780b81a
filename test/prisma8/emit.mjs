// `node test/prisma8/emit.mjs [SOURCE [FOLDER]]`: emits the contracts of SOURCE (test/contracts) as `prisma contract emit` does, of a schema.prisma (of Prisma 7, which
// Prisma 8 reads as it is) or a contract.prisma, and leaves contract.json beside each, or in FOLDER.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { defineConfig, prisma7Schema } from '@prisma/orm-postgres/config'
import { executeContractEmit } from '@prisma/orm-toolchain/cli/control-api'

const CONTRACTS = join(import.meta.dirname, '../contracts')
const [source = CONTRACTS, folder = source] = process.argv.slice(2).map((path) => resolve(path))

for (const name of readdirSync(source)) {
  const own = join(source, name, 'contract.prisma')
  const contract = existsSync(own) ? own : prisma7Schema(join(source, name, 'schema.prisma'))
  const outputPath = join(folder, name)
  await executeContractEmit({ config: defineConfig({ contract }), cwd: source, outputPath })
  // Its types are for the client of Prisma 8 alone.
  rmSync(join(outputPath, 'contract.d.ts'))
}
