/** The packages that the server shares with the application: what is missing, too old or there twice is one sentence with its command. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkPeers } from '../../src/cli/peers.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowcast-peers-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function install(name: string, version: string, below = ''): Promise<void> {
  const place = join(folder, below, 'node_modules', name)
  await mkdir(place, { recursive: true })
  await writeFile(join(place, 'package.json'), JSON.stringify({ name, version }))
}

async function installAll(graphql = '17.1.0'): Promise<void> {
  await install('graphql', graphql)
  await install('@pothos/core', '4.15.1')
  await install('@pothos/plugin-prisma', '4.17.0')
  await install('@prisma/client', '7.10.1')
}

/** As from the packed program. */
const program = () => pathToFileURL(join(folder, 'node_modules/rowcast/dist/cli/peers.js')).href
const check = () => checkPeers({ folder, from: program() })
const checkWithOwnSchema = () => checkPeers({ folder, from: program(), mayLackPothos: true })

it('they are all there', async () => {
  for (const version of ['16.11.0', '17.1.0']) {
    await installAll(version)
    expect(check).not.toThrow()
  }
})

it('what is missing is named, with the command', async () => {
  await install('graphql', '16.15.0')
  await writeFile(join(folder, 'yarn.lock'), '')
  const hint = 'Run `yarn add @pothos/core @pothos/plugin-prisma @prisma/client`.'
  expect(check).toThrow(expect.objectContaining({ code: 'CLI_PEER_MISSING', hint }))
})

it('a schema of one’s own asks for no Pothos, and for one of the right version where it is there', async () => {
  await install('graphql', '16.15.0')
  await install('@prisma/client', '7.10.1')
  expect(checkWithOwnSchema()).toBe(false)
  expect(check).toThrow(expect.objectContaining({ code: 'CLI_PEER_MISSING' }))
  await install('@pothos/core', '3.0.0')
  expect(checkWithOwnSchema).toThrow(expect.objectContaining({ code: 'CLI_PEER_VERSION' }))
  await installAll()
  expect(checkWithOwnSchema()).toBe(true)
})

it('where something else is missing, all that may be needed is named at once', async () => {
  await install('@prisma/client', '7.10.1')
  await writeFile(join(folder, 'yarn.lock'), '')
  expect(checkWithOwnSchema).toThrow(
    expect.objectContaining({
      hint: expect.stringMatching(/^Run `yarn add graphql\S* @pothos\/core @pothos\/plugin-prisma`\.$/),
    }),
  )
})

it('what rowcast does not work with is named, with the command', async () => {
  await installAll('15.8.0')
  await writeFile(join(folder, 'package-lock.json'), '')
  expect(check).toThrow(
    expect.objectContaining({ code: 'CLI_PEER_VERSION', hint: 'Run `npm install graphql@16`.' }),
  )
})

it('a second copy of graphql is named', async () => {
  await installAll()
  await install('graphql', '17.0.0', 'node_modules/@pothos/core')
  expect(check).toThrow(expect.objectContaining({ code: 'CLI_PEER_TWICE' }))
})
