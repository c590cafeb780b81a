/** What the tarball holds: what users need, and none of what made it. Runs after `npm run build`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from '../support/packed-project.ts'

interface Packed {
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

/**
 * Packed, in bytes: a third are the packages of dist/bundled, which nobody installs beside it; a fourth is GraphiQL, which as a
 * dependency was 18 MB of every installation. It is stored as it is sent, and read when a browser first asks.
 */
const SIZE_MAX = 1_000_000 + 370_000

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
  for (const page of ['page', 'graphiql']) {
    expect(paths).toContain(`dist/${page}/index.html`)
    // Of those whose code is in it.
    expect(paths).toContain(`dist/${page}/licenses.md`)
  }
  expect(packed?.size).toBeLessThan(SIZE_MAX)
})
