/**
 * What projects run and bundle their code with, on the packed tarball. For browsers: `rowcast/client` and `rowcast/react` by esbuild, Rolldown and Vite.
 * For Node.js: webpack. esbuild for Node.js: tarball.package.test.ts. Runs after `npm run build`; the registry must be reachable.
 */
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openLinkedProject, openProject, type PackedProject, ROOT } from '../support/packed-project.ts'

const PAGE = `import { createLiveList, createSseClient, resumingConnectionParams } from 'rowcast/client'
import { useLiveList } from 'rowcast/react'
console.log(typeof createLiveList, typeof createSseClient, typeof resumingConnectionParams, typeof useLiveList)
`

let page: PackedProject
beforeAll(async () => {
  page = await openLinkedProject(
    {
      'package.json': '{ "private": true, "type": "module" }',
      'page.js': PAGE,
      'vite.config.js': `export default { logLevel: 'error', build: { minify: false, lib: { entry: 'page.js', formats: ['es'], fileName: 'vite' }, outDir: 'out' } }`,
    },
    {},
    ['graphql-ws', 'graphql', 'react'],
  )
}, 60_000)
afterAll(() => page?.[Symbol.asyncDispose]())

const openEmptyProject = async () =>
  openProject(await mkdtemp(join(tmpdir(), 'rowcast-elsewhere-')), process.env)

it.each([
  ['esbuild', ['page.js', '--bundle', '--format=esm', '--outfile=out/esbuild.js', '--log-level=error']],
  ['rolldown', ['page.js', '--format', 'esm', '--file', 'out/rolldown.js', '--platform', 'browser']],
  ['vite', ['build']],
])('%s makes one file of what browsers take of it', async (name, args) => {
  await page.run(join(ROOT, 'node_modules/.bin', name), args)
  const text = await readFile(join(page.folder, 'out', `${name}.js`), 'utf8')
  expect(text).not.toMatch(/['"]node:/)
  // Where nothing else is to be found.
  await using elsewhere = await openEmptyProject()
  await elsewhere.write('page.mjs', text)
  const { stdout } = await elsewhere.run(process.execPath, ['page.mjs'])
  expect(stdout).toBe('function function function function\n')
})

/** An application in CommonJS: its server answers a query and says where the pages are. */
const SERVER = `const { buildSchema } = require('graphql')
const { createRowcast } = require('rowcast')
const { addChanges } = require('rowcast/graphql')
const { createServer } = require('rowcast/server')
const schema = buildSchema('type Query { a: Int }')
const server = createServer({ schema, logger: console, port: 0, graphiql: true, health: () => ({ isReady: true, details: {} }) })
server.listen().then(async ({ url }) => {
  const ask = (headers, body) => fetch(new URL('/graphql', url), { method: body ? 'POST' : 'GET', headers, body })
  const answer = await ask({ 'content-type': 'application/json' }, '{"query":"{ a }"}')
  const page = await ask({ accept: 'text/html' })
  console.log(typeof createRowcast, typeof addChanges, await answer.text(), page.status, await page.text())
  await server.close()
})
`

const BUILD = `const webpack = require(process.env.WEBPACK)
const config = { mode: 'development', devtool: false, target: 'node', entry: './server.js', output: { path: __dirname + '/out', filename: 'server.cjs' } }
webpack(config, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString('errors-only'))
})
`

it('webpack makes a bundle of CommonJS for Node.js, which runs where nothing else is installed', async () => {
  await using tools = await openEmptyProject()
  await tools.write('package.json', '{ "private": true }')
  await tools.run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', 'webpack@5'])
  await using application = await openLinkedProject(
    { 'package.json': '{ "private": true }', 'server.js': SERVER, 'build.js': BUILD },
    { ...process.env, WEBPACK: join(tools.folder, 'node_modules/webpack') },
    ['graphql', 'graphql-ws', '@prisma/client'],
  )
  await application.run(process.execPath, ['build.js'])
  const { stdout } = await tools.run('sh', [
    '-c',
    `cp ${application.folder}/out/*.cjs . && rm -r node_modules && node server.cjs`,
  ])
  // webpack writes where the package stood when it bundled: pages are served from there, or it says how they are kept beside the bundle.
  expect(stdout).toMatch(/^function function \{"data":\{"a":null\}\} (404 .*external|200 <!doctype html>)/m)
})
