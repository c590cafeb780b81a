/** What the tarball holds: what users need, and none of what made it. Runs after `npm run build`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from '../support/packed-project.ts'

interface Packed {
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

/** Packed, in bytes: a third are the packages of dist/bundled, which nobody installs beside it. */
const SIZE_MAX = 1_000_000

it('holds the built package, its licence, words and dashboard, and nothing else', async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--silent'], {
    cwd: ROOT,
    maxBuffer: 10_000_000,
  })
  const [packed] = JSON.parse(stdout) as readonly Packed[]
  const paths = packed?.files.map(({ path }) => path) ?? []
  expect(paths.filter((path) => !path.startsWith('dist/')).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dashboards/rowcast.json',
    'package.json',
  ])
  expect(paths.filter((path) => /sample|\.map$|test/.test(path))).toEqual([])
  expect(paths.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))).toEqual([])
  for (const entry of [
    'index',
    'client/client',
    'graphql/plugin/rowcast-plugin',
    'cli/main',
    'generator/main',
  ])
    expect(paths).toContain(`dist/${entry}.js`)
  expect(packed?.size).toBeLessThan(SIZE_MAX)
})
