/** `npm run dev` builds the pages that browsers get where they are missing, and says so before: only then. */
import { execFile } from 'node:child_process'
import { utimes } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { buildPage } from '../support/build-page.ts'
import { ROOT } from '../support/packed-project.ts'

const build = () => promisify(execFile)(process.execPath, ['page/build.mjs'], { cwd: ROOT })

it('a build of the pages announces itself, once, and where nothing is built nothing is said', async () => {
  await buildPage()
  expect(await build()).toEqual({ stdout: '', stderr: '' })
  await utimes(`${ROOT}/dist/page/index.html`, 1, 1)
  expect((await build()).stderr).toMatch(/^Building the pages for browsers[^\n]*\n$/)
}, 180_000)
