// `npm run page`: the live page into dist/page, its typed documents first; nothing where that is up to date already.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = dirname(fileURLToPath(import.meta.url))
const ROOT = dirname(FOLDER)
const BUILT = join(ROOT, 'dist', 'page', 'index.html')

const changedMs = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0)
const newestMs = (files) => Math.max(...files.map(changedMs))

const sources = readdirSync(FOLDER).map((name) => join(FOLDER, name))
const documents = ['activity.graphql', 'schema.graphql'].map((name) => join(FOLDER, name))
const generated = join(FOLDER, 'generated', 'graphql.ts')

if (changedMs(generated) < newestMs(documents)) run('graphql-codegen', '--silent')
if (changedMs(BUILT) < newestMs([...sources.filter((file) => statSync(file).isFile()), generated])) {
  const { build } = await import('vite')
  await build({ configFile: join(FOLDER, 'vite.config.ts') })
}

function run(command, ...args) {
  const { status } = spawnSync(join(ROOT, 'node_modules', '.bin', command), args, {
    cwd: ROOT,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
