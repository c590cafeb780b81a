// `npm run generate`: `prisma generate`, on machines without a network too. Prisma's CLI downloads its schema
// engine whenever it starts, but generating needs none: naming any existing program spares the download.
// Says nothing unless Prisma fails.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const prismaCli = createRequire(import.meta.url).resolve('prisma/build/index.js')

process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath
process.env.PRISMA_HIDE_UPDATE_MESSAGE ??= '1'
// Generators are found by their command's name, also where npm did not start this file.
process.env.PATH = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter)

const result = spawnSync(process.execPath, [prismaCli, 'generate', '--no-hints'], {
  cwd: root,
  encoding: 'utf8',
})
if (result.status !== 0) {
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`)
  process.exitCode = 1
}
