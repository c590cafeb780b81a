/**
 * Beside the spine, generator. A column of a contract → the field that the decoder reads. What counts is PostgreSQL's type: the codec beside it
 * says in which JavaScript type Prisma 8 shows the value (`pg/timestamp-temporal@1`, `pg/timestamp-string@1`), which rowcast does not follow.
 */
import type { FieldSpec, ScalarType } from '../catalog/model-catalog.ts'
import type { NativeTypeName } from '../catalog/values/type-table.ts'
import type { ContractPart } from './contract-part.ts'

/** What a field is beside its name. */
export type ColumnType = Pick<FieldSpec, 'type' | 'nativeType' | 'nativeArguments'>

type Row = readonly [
  scalar: ScalarType,
  nativeType: NativeTypeName,
  /** The arguments of the type that a Prisma 7 schema has without `@db`; null where it has them otherwise only. */
  plainArguments: string | null,
]

/** By `nativeType`, as the emitter of 8.0.0-rc.13 writes it. */
const COLUMN_TYPES: Readonly<Record<string, Row>> = {
  text: ['String', 'Text', ''],
  'character varying': ['String', 'VarChar', null],
  varchar: ['String', 'VarChar', null],
  character: ['String', 'Char', null],
  char: ['String', 'Char', null],
  bpchar: ['String', 'Char', null],
  uuid: ['String', 'Uuid', null],
  inet: ['String', 'Inet', null],
  bit: ['String', 'Bit', null],
  'bit varying': ['String', 'VarBit', null],
  varbit: ['String', 'VarBit', null],
  xml: ['String', 'Xml', null],
  citext: ['String', 'Citext', null],
  int4: ['Int', 'Integer', ''],
  int2: ['Int', 'SmallInt', null],
  int8: ['BigInt', 'BigInt', ''],
  float8: ['Float', 'DoublePrecision', ''],
  float4: ['Float', 'Real', null],
  numeric: ['Decimal', 'Decimal', '65,30'],
  bool: ['Boolean', 'Boolean', ''],
  timestamp: ['DateTime', 'Timestamp', '3'],
  timestamptz: ['DateTime', 'Timestamptz', null],
  date: ['DateTime', 'Date', null],
  time: ['DateTime', 'Time', null],
  timetz: ['DateTime', 'Timetz', null],
  json: ['Json', 'Json', null],
  jsonb: ['Json', 'JsonB', ''],
  bytea: ['Bytes', 'ByteA', ''],
}

/** Null for a type that is not read: of an extension, `interval`, `tsquery`. `types` are the named ones of the contract. */
export function columnTypeOf(
  column: ContractPart,
  types: ReadonlyMap<string, ContractPart>,
): ColumnType | null {
  const nativeType = column.textOf('nativeType')
  const row = Object.hasOwn(COLUMN_TYPES, nativeType) ? COLUMN_TYPES[nativeType] : undefined
  if (row === undefined) return null
  const [type, name, plainArguments] = row
  const given = argumentsOf(column, types)
  // Prisma 7 says nothing of a column that has what its scalar has by itself.
  if (plainArguments === given.join()) return { type, nativeType: null }
  return { type, nativeType: name, ...(given.length === 0 ? {} : { nativeArguments: given }) }
}

function argumentsOf(column: ContractPart, types: ReadonlyMap<string, ContractPart>): readonly string[] {
  const reference = column.find('typeRef')?.text()
  const params = (reference === undefined ? column : types.get(reference))?.find('typeParams')
  if (params === undefined) return []
  return ['length', 'precision', 'scale'].flatMap((name) => {
    const count = params.countOf(name)
    return count === undefined ? [] : [String(count)]
  })
}
