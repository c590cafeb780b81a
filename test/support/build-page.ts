/** Builds what browsers get, as `npm run page` and the example's `npm run build` do. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build, preview } from 'vite'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The live page into dist/page; nothing where it is there and up to date. */
export async function buildPage(): Promise<void> {
  await promisify(execFile)(process.execPath, ['page/build.mjs'], { cwd: ROOT })
}

/** Typed documents, the example's among them. */
export async function generateDocuments(): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', 'codegen'], { cwd: ROOT })
}

/** The example app, served from its build with `/graphql` passed on to a rowcast. */
export interface ServedExample extends AsyncDisposable {
  readonly url: string
}

/** Builds and serves examples/web. @param rowcastUrl such as `http://127.0.0.1:4000` */
export async function serveExample(rowcastUrl: string): Promise<ServedExample> {
  const folder = `${ROOT}examples/web`
  const outDir = await mkdtemp(join(tmpdir(), 'rowcast-example-'))
  await generateDocuments()
  const config = { root: folder, configFile: `${folder}/vite.config.ts`, logLevel: 'silent' } as const
  await build({ ...config, build: { outDir, emptyOutDir: true } })
  const proxy = { '/graphql': { target: rowcastUrl, ws: true } }
  const server = await preview({
    ...config,
    build: { outDir },
    preview: { port: 0, host: '127.0.0.1', proxy },
  })
  const address = server.httpServer.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.close()
      await rm(outDir, { recursive: true })
    },
  }
}
