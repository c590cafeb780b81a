import { beforeAll, describe, expect, test } from 'vitest'
import { type GenerateInput, generateFile } from '../../src/generator/generate-file.ts'
import { readGenerateInput } from './prisma-generate.ts'

let input: GenerateInput

beforeAll(async () => {
  input = await readGenerateInput(`
    datasource db {
      provider = "postgresql"
    }
    model Thing {
      id Int @id
    }
  `)
}, 60_000)

type Generator = GenerateInput['generator']

const MODERN: Partial<Generator> = {
  provider: text('prisma-client'),
  output: text('/app/prisma/generated/client'),
}

/** The input as it would be with other words in the generator blocks. */
function inputWith(own: Partial<Generator>, others: readonly Partial<Generator>[] = [MODERN]): GenerateInput {
  const { isCustomOutput: _, ...blank } = input.generator
  return {
    ...input,
    generator: { ...blank, output: text('/app/prisma/generated/rowcast.ts'), ...own },
    otherGenerators: others.map((other) => ({ ...blank, ...other })),
  }
}

function text(value: string): NonNullable<Generator['output']> {
  return { value, fromEnvVar: null }
}

function importsOf(generated: { readonly text: string }): readonly string[] {
  return [...generated.text.matchAll(/^import type .* from '(.*)'$/gm)].map((match) => String(match[1]))
}

describe('where the types come from', () => {
  test.each([
    ['a client beside the file', MODERN, './client/client.js'],
    ['a client elsewhere', { ...MODERN, output: text('/app/src/db') }, '../../src/db/client.js'],
    ['its own import extension', { ...MODERN, config: { importFileExtension: 'ts' } }, './client/client.ts'],
    ['imports without extension', { ...MODERN, config: { importFileExtension: '' } }, './client/client'],
    ['.mts sources', { ...MODERN, config: { generatedFileExtension: 'mts' } }, './client/client.mjs'],
    [
      'the older generator in node_modules',
      { provider: text('prisma-client-js'), output: text('/app/node_modules/@prisma/client') },
      '@prisma/client',
    ],
    [
      'the older generator with an output',
      { provider: text('prisma-client-js'), output: text('/app/db'), isCustomOutput: true },
      '../../db/index.js',
    ],
  ])('%s', (_, client, expected) => {
    const pothos = { provider: text('prisma-pothos-types'), output: text('/app/pothos.ts') }
    expect(importsOf(generateFile(inputWith({}, [pothos, client])))).toEqual(['rowcast', expected])
  })

  test('both can be set', () => {
    const config = { clientOutput: '#db', rowcastImport: '../rowcast/index.ts' }
    expect(importsOf(generateFile(inputWith({ config }, [])))).toEqual(['../rowcast/index.ts', '#db'])
  })
})

test('the same schema gives the same text', () => {
  expect(generateFile(inputWith({}))).toEqual(generateFile(structuredClone(inputWith({}))))
  expect(generateFile(inputWith({})).path).toBe('/app/prisma/generated/rowcast.ts')
})

describe('what is refused', () => {
  test.each([
    ['no client', () => inputWith({}, []), 'GENERATOR_NO_CLIENT'],
    ['no output', () => inputWith({ output: null }), 'GENERATOR_BAD_OUTPUT'],
    ['a folder as output', () => inputWith({ output: text('/app/generated') }), 'GENERATOR_BAD_OUTPUT'],
    ['a declaration file', () => inputWith({ output: text('/app/rowcast.d.ts') }), 'GENERATOR_BAD_OUTPUT'],
    ['an unknown option', () => inputWith({ config: { omit: 'x' } }), 'GENERATOR_BAD_OPTION'],
    ['a list for an option', () => inputWith({ config: { clientOutput: ['x'] } }), 'GENERATOR_BAD_OPTION'],
    [
      'another database',
      () => ({
        ...inputWith({}),
        datasources: input.datasources.map((source) => ({ ...source, activeProvider: 'mysql' as const })),
      }),
      'GENERATOR_NOT_POSTGRESQL',
    ],
  ])('%s', (_, make, code) => {
    expect(() => generateFile(make())).toThrow(expect.objectContaining({ code }))
  })
})
