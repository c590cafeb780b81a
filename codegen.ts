import type { CodegenConfig } from '@graphql-codegen/cli'

const TYPES = {
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
}

const config: CodegenConfig = {
  importExtension: '.ts',
  generates: {
    'test/generated/gql/': {
      schema: 'schema.graphql',
      documents: ['test/graphql/documents/*.graphql'],
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: TYPES,
    },
    // The live page's: small, so documents as text.
    'page/generated/': {
      schema: 'page/schema.graphql',
      documents: ['page/activity.graphql'],
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: { ...TYPES, documentMode: 'string' },
    },
  },
}

export default config
