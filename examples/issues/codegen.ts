import type { CodegenConfig } from '@graphql-codegen/cli'

/** Typed documents from what stands in src/, as texts: the page needs no parser. */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: ['src/**/*.tsx'],
  importExtension: '.ts',
  generates: {
    'generated/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        documentMode: 'string',
        strictScalars: true,
        scalars: { Cursor: 'string', DateTime: 'string' },
      },
    },
  },
}

// biome-ignore lint/style/noDefaultExport: GraphQL Code Generator reads it
export default config
