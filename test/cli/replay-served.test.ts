/** Who `rowcast replay --serve` lets see a recording: whole rows stand in it, and a container says NODE_ENV and HOST. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type CliFolder, openCliFolder } from './run-cli.ts'

const RECORDING = { rowcast: 'recording', version: 1, systemId: '1', timeline: 1, publication: 'rowcast' }
/** What the image of rowcast sets. */
const IMAGE = { NODE_ENV: 'production', HOST: '0.0.0.0', PORT: '0' }

async function openFolder(config: string): Promise<CliFolder> {
  const folder = await openCliFolder({}, config)
  await writeFile(join(folder.path, 'tags.rec'), `${JSON.stringify(RECORDING)}\n`)
  return folder
}

async function serve(folder: CliFolder, args: readonly string[], env: Record<string, string>) {
  const player = folder.start(['replay', 'tags.rec', '--serve', ...args], env)
  await player.nextLine()
  const line = await player.nextLine()
  return { player, line, url: /http:\S+/.exec(line)?.[0] ?? '' }
}

const schemaOf = async (url: string) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ __schema { queryType { name } } }' }),
  })
  return (await response.json()) as { readonly data?: object; readonly errors?: readonly object[] }
}

it('in production: a model without a policy is not served, printing it is no matter', async () => {
  await using folder = await openFolder('models: { Tag: {} }')
  const refused = await folder.run(['replay', 'tags.rec', '--serve'], IMAGE)
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('CONFIG_NO_POLICY') })
  expect((await folder.run(['replay', 'tags.rec'], IMAGE)).code).toBe(0)
})

it('in production: neither GraphiQL nor the schema, and nobody but this machine', async () => {
  await using folder = await openFolder('public: true')
  const { player, line, url } = await serve(folder, [], IMAGE)
  expect(line).toMatch(/GraphQL {2}http:\/\/127\.0\.0\.1:/)
  expect(await schemaOf(url)).not.toHaveProperty('data')
  const page = await fetch(url, { headers: { accept: 'text/html' } })
  expect(await page.text()).not.toContain('<html')
  expect((await player.stop()).code).toBe(0)
})

it('whoever needs a session is let in only where the command line says that it may be none', async () => {
  await using folder = await openFolder(
    'models: { Tag: {} }, sessions: { model: "User", of: ({ id }) => ({ id }) }',
  )
  const refused = await folder.run(['replay', 'tags.rec', '--serve'], { PORT: '0' })
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_NO_SESSIONS') })
  const { player, url } = await serve(folder, ['--without-sessions'], { PORT: '0' })
  expect(await schemaOf(url)).toMatchObject({ data: {} })
  await player.stop()
})

it('elsewhere: GraphiQL, and others only where --host says so', async () => {
  await using folder = await openFolder('host: "0.0.0.0", models: { Tag: {} }')
  const env = { HOST: '0.0.0.0', PORT: '0' }
  const alone = await serve(folder, [], env)
  expect(alone.line).toMatch(/GraphiQL {2}http:\/\/127\.0\.0\.1:/)
  expect(await schemaOf(alone.url)).toMatchObject({ data: {} })
  await alone.player.stop()
  // Every address of the machine is called by its name.
  const shown = await serve(folder, ['--host', '0.0.0.0'], env)
  expect(shown.line).toContain('http://localhost:')
  await shown.player.stop()
})
