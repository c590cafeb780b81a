/** The catalog of one schema through the DMMF of Prisma 7 and through the contract of Prisma 8: all is the same but for what is said here. */
import type { FieldSpec, ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { catalogFromDmmf } from '../../src/generator/catalog-from-dmmf.ts'
import { readGenerateInput } from './prisma-generate.ts'

/** Through the DMMF. */
export async function dmmfCatalog(schema: string): Promise<ModelCatalog> {
  const { dmmf, datamodel } = await readGenerateInput(schema)
  return catalogFromDmmf(dmmf.datamodel, datamodel)
}

/** What a column of the scalar has by itself: a contract does not say whether the schema wrote it out. */
const WRITTEN_OUT = new Set([
  ...[
    'String Text',
    'Int Integer',
    'BigInt BigInt',
    'Float DoublePrecision',
    'Boolean Boolean',
    'Json JsonB',
  ],
  ...['Bytes ByteA', 'DateTime Timestamp 3', 'Decimal Decimal 65 30'],
])

function withPlainType({ nativeArguments = [], ...field }: FieldSpec): object {
  const isPlain = WRITTEN_OUT.has([field.type, field.nativeType, ...nativeArguments].join(' '))
  return { ...field, ...(isPlain ? { nativeType: null, nativeArguments: [] } : { nativeArguments }) }
}

/**
 * Without what a contract does not say. It always names a namespace, `public` where the schema says none. It has no names of relations: what
 * counts is which two ends are one. Of an enum it has what is stored, which is what Prisma 8 shows: `@map` of a value is its name.
 */
export function comparableCatalog(catalog: ModelCatalog): unknown {
  const ends = new Map<string, string[]>()
  for (const { name, relations } of Object.values(catalog.models)) {
    for (const { name: relation, relationName } of relations)
      ends.set(relationName, [...(ends.get(relationName) ?? []), `${name}.${relation}`].sort())
  }
  const schemaOf = (schema: string | null) => schema ?? 'public'
  return {
    ...catalog,
    joinTables: catalog.joinTables.map((table) => ({ ...table, schema: schemaOf(table.schema) })),
    models: Object.values(catalog.models).map((model) => ({
      ...model,
      schema: schemaOf(model.schema),
      uniques: [...model.uniques].map((names) => names.join()).sort(),
      fields: model.fields.map(withPlainType),
      relations: model.relations.map((relation) => ({
        ...relation,
        relationName: ends.get(relation.relationName),
      })),
    })),
    enums: Object.values(catalog.enums).map((spec) => ({
      ...spec,
      schema: schemaOf(spec.schema),
      values: spec.values.map((value) => ({ ...value, name: value.label })),
    })),
  }
}
