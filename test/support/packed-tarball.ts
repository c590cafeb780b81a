/** The packed package. As the global set-up of its tests: what `npm run build` made is packed once, for all of them. */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')

/** Name of the variable with the path of the tarball, where it is packed already. */
const PACKED_TARBALL = 'ROWCAST_TEST_TARBALL'

/** Packs what `npm run build` made. @returns path of the tarball, in `folder` */
export async function packTarball(folder: string): Promise<string> {
  const packed = process.env[PACKED_TARBALL]
  if (packed !== undefined) {
    const path = join(folder, basename(packed))
    await copyFile(packed, path)
    return path
  }
  const { stdout } = await promisify(execFile)('npm', ['pack', '--silent', '--pack-destination', folder], {
    cwd: ROOT,
  })
  return join(folder, stdout.trim().split('\n').at(-1) ?? '')
}

export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-tarball-'))
  // Workers are started with it.
  process.env[PACKED_TARBALL] = await packTarball(folder)
  return () => rm(folder, { recursive: true, force: true })
}
