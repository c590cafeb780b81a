/** The live page's files: those and no others, with headers that let them load nothing from elsewhere. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createLivePage } from '../../src/server/pages/live-page.ts'
import { startServer } from './server-fixture.ts'

/** A page of three files, and what lies beside its folder. */
async function servePage(files = true) {
  const parent = mkdtempSync(join(tmpdir(), 'rowcast-page-'))
  onTestFinished(() => rmSync(parent, { recursive: true }))
  const folder = join(parent, 'page')
  mkdirSync(join(folder, 'assets'), { recursive: true })
  const write = () => writeFileSync(join(folder, 'index.html'), '<!doctype html><title>page</title>')
  if (files) write()
  writeFileSync(join(folder, 'assets', 'main-abc.js'), 'export {}')
  writeFileSync(join(folder, 'assets', 'main-abc.js.map'), '{}')
  writeFileSync(join(parent, 'secret.js'), 'secret')
  const page = createLivePage(folder)
  const http = createServer((incoming, response) => {
    if (page.respond(incoming, response) === null) response.writeHead(418).end()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void http.close())
  const { port } = http.address() as AddressInfo
  /** As it stands: fetch would tidy the path up first. */
  const get = (path: string, method = 'GET') =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
      request({ port, path, method, host: '127.0.0.1', agent: false }, (response) => {
        let body = ''
        response.on('data', (chunk) => {
          body += String(chunk)
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        )
      })
        .on('error', reject)
        .end()
    })
  return { get, write }
}

test('serves the page fresh, its assets for good, and lets it load nothing from elsewhere', async () => {
  const { get } = await servePage()
  const page = await get('/?anything')
  expect(page).toMatchObject({ status: 200, body: '<!doctype html><title>page</title>' })
  expect(page.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringMatching(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    ),
  })
  expect(page.headers['content-security-policy']).not.toMatch(/unsafe|\*|https?:/)
  expect((await get('/assets/main-abc.js')).headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': 'public, max-age=31536000, immutable',
  })
  expect(await get('/', 'HEAD')).toMatchObject({ status: 200, body: '' })
})

test.each([
  '/assets/../../secret.js',
  '/assets/..%2f..%2fsecret.js',
  '/../secret.js',
  '/assets/main-abc.js.map',
  '/assets/',
  '/index.html',
  '/favicon.ico',
])('has no %s', async (path) => {
  const { get } = await servePage()
  expect((await get(path)).status).toBe(418)
})

test('leaves what is no reading alone', async () => {
  const { get } = await servePage()
  expect((await get('/', 'POST')).status).toBe(418)
})

test('says that it has not been built, until it is', async () => {
  const { get, write } = await servePage(false)
  expect(await get('/')).toMatchObject({ status: 404, body: expect.stringContaining('npm run page') })
  write()
  expect((await get('/')).status).toBe(200)
})

test('is off unless asked for', async () => {
  const { url } = await startServer()
  const response = await fetch(url)
  expect([response.status, await response.text()]).toEqual([404, expect.not.stringContaining('page')])
})
