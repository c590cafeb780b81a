import type { CodegenConfig } from '@graphql-codegen/cli'

/** Typed documents from what stands in src/; `schema` may as well be the address of a running rowcast. */
const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: ['src/**/*.tsx'],
  importExtension: '.ts',
  generates: {
    'generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        scalars: {
          BigInt: 'string',
          Bytes: 'string',
          Cursor: 'string',
          Date: 'string',
          DateTime: 'string',
          Decimal: 'string',
          JSON: 'unknown',
          Time: 'string',
        },
      },
    },
  },
}

// biome-ignore lint/style/noDefaultExport: GraphQL Code Generator reads it
export default config
