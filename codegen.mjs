// `npm run codegen`: typed documents for the tests, the live page and the example app, by GraphQL Code Generator's client preset.
// Its command line is left out: it brings 45 MB for ways to find schemas that are not used here.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { preset } from '@graphql-codegen/client-preset'
import { codegen } from '@graphql-codegen/core'
import { buildSchema, parse, print } from 'graphql'
// What projects that begin with the example app have is what all of these have.
import example from './examples/web/codegen.ts'

const ROOT = dirname(fileURLToPath(import.meta.url))
const { importExtension, generates } = example
const { presetConfig, config } = generates['generated/']
const TYPES = { importExtension, ...config }
const OUTPUTS = {
  'test/generated/gql/': { schema: 'schema.graphql', documents: 'test/graphql/documents' },
  // The live page's: small, so documents as text.
  'page/generated/': {
    schema: 'page/schema.graphql',
    documents: 'page',
    types: { ...TYPES, documentMode: 'string' },
  },
  'examples/issues/generated/gql/': {
    schema: 'examples/issues/schema.graphql',
    documents: 'examples/issues/src',
    types: { ...TYPES, documentMode: 'string' },
  },
  'examples/web/generated/': { schema: 'schema.graphql', documents: 'examples/web/src' },
}

for (const [output, { schema, documents, types = TYPES }] of Object.entries(OUTPUTS)) {
  const sdl = readFileSync(join(ROOT, schema), 'utf8')
  const files = await preset.buildGeneratesSection({
    baseOutputDir: join(ROOT, output),
    config: types,
    presetConfig,
    schema: parse(sdl),
    schemaAst: buildSchema(sdl),
    documents: documentsOf(join(ROOT, documents)),
    plugins: [],
    pluginMap: {},
  })
  mkdirSync(join(ROOT, output), { recursive: true })
  for (const file of files) writeFileSync(resolve(ROOT, file.filename), await codegen(file))
}

/** Those of files of GraphQL, and those between backticks after `graphql(`: as they stand there, which is how they are found again. */
function documentsOf(folder) {
  const files = readdirSync(folder).filter(
    (name) => /\.(?:tsx|graphql)$/.test(name) && name !== 'schema.graphql',
  )
  return files.flatMap((name) => {
    const location = join(folder, name)
    const text = readFileSync(location, 'utf8')
    const written = name.endsWith('.tsx')
      ? Array.from(text.matchAll(/\bgraphql\(`([^`]*)`/g), ([, sdl]) => sdl)
      : [print(parse(text))]
    return written.map((rawSDL) => ({ location, rawSDL, document: parse(rawSDL) }))
  })
}
