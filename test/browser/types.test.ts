/** What runs in browsers type-checks there: the live page, the example apps, and the code of docs/client.md. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { buildPage, generateDocuments } from '../support/build-page.ts'
import { generateIssues } from '../support/issue-tracker.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What the compiler says of a project; nothing when all is well. */
async function check(project: string): Promise<string> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  try {
    await promisify(execFile)(process.execPath, [tsc, '--noEmit', '-p', project], { cwd: ROOT })
    return ''
  } catch (error) {
    return String(Reflect.get(Object(error), 'stdout'))
  }
}

it('the live page', async () => {
  await buildPage()
  expect(await check('page')).toBe('')
}, 120_000)

it('the example app', async () => {
  await generateDocuments()
  expect(await check('examples/web')).toBe('')
}, 120_000)

it('the issue tracker, and its server', async () => {
  await generateIssues()
  await generateDocuments()
  expect(await check('examples/issues')).toBe('')
}, 120_000)

it('the code of docs/client.md', async () => {
  const text = await readFile(join(ROOT, 'docs/client.md'), 'utf8')
  const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = '']) => block)
  expect(blocks.length).toBeGreaterThan(3)
  const folder = join(ROOT, 'test/generated/client-docs')
  await mkdir(folder, { recursive: true })
  try {
    for (const [index, block] of blocks.entries()) {
      await writeFile(join(folder, `block-${index}.ts`), `${block}\nexport {}\n`)
    }
    const config = {
      extends: '../../../tsconfig.json',
      compilerOptions: { rootDir: '../../..', lib: ['es2023', 'dom', 'dom.iterable'], types: [] },
      ...{ include: ['.'], exclude: [] },
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
    expect(await check(folder)).toBe('')
  } finally {
    await rm(folder, { recursive: true })
  }
}, 120_000)
