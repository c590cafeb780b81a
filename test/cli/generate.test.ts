import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { generate } from '../../src/cli/generate.ts'

const NOTES = join(import.meta.dirname, '../contracts/notes')
let folder: string
let printed: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rowcast-generate-'))
  await mkdir(join(folder, 'src/prisma'), { recursive: true })
  printed = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const context = () => ({
  folder,
  terminal: {
    print: (...lines: readonly string[]) => void printed.push(...lines),
    style: (_: string, text: string) => text,
    backlog: () => null,
  },
})

it('writes what is kept beside the contract of test/contracts, at once and again', async () => {
  for (const file of ['contract.json', 'contract.prisma'])
    await copyFile(join(NOTES, file), join(folder, 'src/prisma', file))
  const expected = await readFile(join(NOTES, 'rowcast.ts'), 'utf8')
  for (const _ of [1, 2]) {
    expect(await generate({}, context())).toBe(0)
    expect(await readFile(join(folder, 'src/prisma/rowcast.ts'), 'utf8')).toBe(expected)
  }
  expect(expected).toMatch(/name: 'token',[^}]*isOmitted: true/)
  expect(printed).toEqual(Array.from({ length: 2 }, () => 'Wrote src/prisma/rowcast.ts: 2 models, 1 enums.'))
})

it('says that markers are not read where there is no schema', async () => {
  await copyFile(join(NOTES, 'contract.json'), join(folder, 'contract.json'))
  await generate({ contract: 'contract.json' }, context())
  expect(printed.join('\n')).toContain('--schema')
})

it('leaves a file that somebody wrote as it is', async () => {
  await copyFile(join(NOTES, 'contract.json'), join(folder, 'contract.json'))
  const [file, text] = [join(folder, 'rowcast.ts'), '// Ours.\nexport const rowcast = 1\n']
  await writeFile(file, text)
  await expect(generate({ contract: 'contract.json' }, context())).rejects.toThrow(
    expect.objectContaining({ code: 'GENERATOR_BAD_OUTPUT' }),
  )
  expect(await readFile(file, 'utf8')).toBe(text)
})

it('names the option where the schema is not there', async () => {
  await copyFile(join(NOTES, 'contract.json'), join(folder, 'contract.json'))
  await expect(generate({ contract: 'contract.json', schema: 'nowhere.prisma' }, context())).rejects.toThrow(
    expect.objectContaining({ hint: expect.stringContaining('--schema') as string }),
  )
})

it.each([
  ['GENERATOR_BAD_CONTRACT', {}],
  ['GENERATOR_BAD_CONTRACT', { contract: 'src/contract.json' }],
  ['CLI_FILE_UNREADABLE', { contract: 'contract.json', schema: 'nowhere.prisma' }],
  ['GENERATOR_BAD_OUTPUT', { output: 'rowcast.d.ts' }],
  ['GENERATOR_BAD_CONTRACT', { contract: 'broken.json' }],
] as const)('%s for %j', async (code, options) => {
  await copyFile(join(NOTES, 'contract.json'), join(folder, 'contract.json'))
  await writeFile(join(folder, 'broken.json'), '{"schemaVersion": "1", "sec')
  await expect(generate(options, context())).rejects.toThrow(expect.objectContaining({ code }))
})
