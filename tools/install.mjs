// `node tools/install.mjs FOLDER…`: installs packages that only some commands need, each set in a folder of its own with its own lockfile;
// nothing where they are there already. So `npm install` brings what `npm run dev` and `npm test` need, and no more.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
/** Where a set is found from files that stand beside its folder: Node.js looks for `node_modules` from folder to folder upwards. */
const LINKS = { 'test/peers': 'test/node_modules' }

for (const name of process.argv.slice(2)) {
  const folder = join(ROOT, name)
  const marker = join(folder, 'node_modules', '.installed')
  const lock = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex')
  if (!existsSync(marker) || readFileSync(marker, 'utf8') !== lock) install(name, folder)
  // A file of its own: a copy of the folder may share the one that was there by a hard link.
  rmSync(marker, { force: true })
  writeFileSync(marker, lock)
  const link = LINKS[name]
  if (link !== undefined && !existsSync(join(ROOT, link))) symlinkSync('peers/node_modules', join(ROOT, link))
}

function install(name, folder) {
  process.stderr.write(`Installs the packages of ${name}/package.json.\n`)
  // Not `npm ci`: it finds faults in lockfiles of packages under another name that have programs for several systems.
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--prefer-offline'],
    { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' },
  )
  if (status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  process.exit(status ?? 1)
}
