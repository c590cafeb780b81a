/**
 * Beside the spine, generator. The row of a model as TypeScript, from the catalog alone: where no generated Prisma Client has a type of what
 * the decoder gives.
 */
import type { EnumSpec, FieldSpec, ModelCatalog, ModelSpec, ScalarType } from '../catalog/model-catalog.ts'
import { formatKey, formatLiteral } from './format-literal.ts'

/** What rowcast's rows have for each scalar; `docs/types.md` has the table. */
const SCALAR_TYPES: Readonly<Record<ScalarType, string>> = {
  String: 'string',
  Int: 'number',
  BigInt: 'bigint',
  Float: 'number',
  Decimal: 'Decimal',
  Boolean: 'boolean',
  DateTime: 'Date',
  Json: 'JsonValue',
  Bytes: 'Uint8Array<ArrayBuffer>',
}
const IMPORTED: ReadonlySet<string> = new Set(['Decimal', 'Json'])

/** Names of the types that the rows need from `rowcast`. */
export function importedByRows({ models }: ModelCatalog): readonly string[] {
  const used = new Set(
    Object.values<ModelSpec>(models).flatMap(({ fields }) =>
      fields.flatMap(({ kind, type }) =>
        kind === 'scalar' && IMPORTED.has(type) ? [type as ScalarType] : [],
      ),
    ),
  )
  return [...used].map((type) => SCALAR_TYPES[type]).sort()
}

/** Emits the type of a model's row. */
export function emitRowType(model: ModelSpec, enums: Readonly<Record<string, EnumSpec>>): string {
  const fields = model.fields.map((field) => `    ${formatKey(field.name)}: ${emitFieldType(field, enums)}\n`)
  return `{\n${fields.join('')}  }`
}

function emitFieldType(field: FieldSpec, enums: Readonly<Record<string, EnumSpec>>): string {
  const one = field.kind === 'enum' ? emitEnumType(enums[field.type]) : SCALAR_TYPES[field.type as ScalarType]
  if (field.isList) return `(${one})[]`
  return field.isRequired ? one : `${one} | null`
}

function emitEnumType(spec: EnumSpec | undefined): string {
  const values = spec?.values.map(({ name }) => formatLiteral(name)) ?? []
  return values.length === 0 ? 'never' : values.join(' | ')
}
