/** Stage 3, catalog. Which codec reads a field from a column of a given type, if any. */
import type { EnumSpec, FieldSpec } from './model-catalog.ts'
import { moneyScaleOf } from './money-scale.ts'
import { createArrayCodec } from './values/array-codec.ts'
import { createMoneyCodec } from './values/decimal-codecs.ts'
import { createEnumCodec } from './values/enum-codec.ts'
import { namedTextCodec, unknownTextCodec } from './values/text-codecs.ts'
import {
  EXTENSION_TYPES,
  FIRST_DYNAMIC_OID,
  TEXT_LIKE_TYPES,
  TYPE_TABLE,
  type TypeRow,
} from './values/type-table.ts'
import { guardCodec, type ValueCodec } from './values/value-codec.ts'

/** A type that is not built in, as a Type message names it; for a domain, the type it is based on. */
export interface DynamicType {
  readonly schema: string
  readonly name: string
}

/** What a stream has said about its types, by OID. */
export type DynamicTypes = ReadonlyMap<number, DynamicType>

const rowsByKey = new Map<string, TypeRow>()
for (const row of TYPE_TABLE) {
  rowsByKey.set(`${row.scalar} ${row.oid}`, row)
  rowsByKey.set(`${row.scalar} _${row.arrayOid}`, row)
  rowsByKey.set(`${row.scalar} ${row.pgType}`, row)
  rowsByKey.set(`${row.scalar} _${row.pgType}`, row)
}

/** By OID for those that are PostgreSQL's own, by name for domains over them and for those of extensions. */
const textLikeByKey = new Map<string, ValueCodec>()
for (const { pgType, oid, arrayOid, codec, listCodec } of TEXT_LIKE_TYPES) {
  textLikeByKey.set(pgType, codec)
  textLikeByKey.set(`_${pgType}`, listCodec)
  if (oid !== null) textLikeByKey.set(String(oid), codec)
  if (arrayOid !== null) textLikeByKey.set(`_${arrayOid}`, listCodec)
}

for (const { pgType } of EXTENSION_TYPES) {
  textLikeByKey.set(pgType, namedTextCodec)
  textLikeByKey.set(`_${pgType}`, createArrayCodec(namedTextCodec, { isNullElementAllowed: false }))
}

/** Of box, the one type whose arrays have another delimiter. */
const boxListCodec = createArrayCodec(unknownTextCodec, { isNullElementAllowed: false, delimiter: ';' })
for (const key of ['_1020', '_box']) textLikeByKey.set(key, boxListCodec)

/** Types that some scalar stands on: behind another one they are a drift. */
const knownTypes = new Set(
  TYPE_TABLE.flatMap(({ oid, arrayOid, pgType }) => [oid, arrayOid, pgType, `_${pgType}`]),
)

const unknownTextListCodec = createArrayCodec(unknownTextCodec, { isNullElementAllowed: false })

/** The codec of a list field or a single one; lists are found by array OID or array type name. */
function pickCodec(row: TypeRow | undefined, isList: boolean, types: DynamicTypes): ValueCodec | null {
  if (row === undefined) return null
  if (row.pgType !== 'money') return isList ? row.listCodec : row.codec
  const codec = createMoneyCodec(moneyScaleOf(types))
  return isList ? createArrayCodec(codec, { isNullElementAllowed: false }) : codec
}

/** The type that Prisma's schema asks for, where the stream does not name what a column's type is. */
function presumeCodec(field: FieldSpec, types: DynamicTypes): ValueCodec | null {
  const rows = TYPE_TABLE.filter((row) => row.scalar === field.type && row.isNative)
  const codec = pickCodec(
    rows.find((row) => row.nativeType === field.nativeType) ?? rows[0],
    field.isList,
    types,
  )
  return codec === null ? null : guardCodec(codec)
}

function findScalarCodec(field: FieldSpec, typeOid: number, types: DynamicTypes): ValueCodec | null {
  const marker = field.isList ? '_' : ''
  if (typeOid < FIRST_DYNAMIC_OID) {
    const codec = pickCodec(rowsByKey.get(`${field.type} ${marker}${typeOid}`), field.isList, types)
    return codec ?? findTextCodec(field, typeOid, `${marker}${typeOid}`)
  }
  const type = types.get(typeOid)
  if (type?.schema === 'pg_catalog') {
    // A domain, whose base PostgreSQL names: `int4`, or `_int4` for a domain over an array.
    if (type.name.startsWith('_') !== field.isList) return null
    const codec = pickCodec(rowsByKey.get(`${field.type} ${type.name}`), field.isList, types)
    return codec ?? findTextCodec(field, type.name, type.name)
  }
  if (field.type === 'String') return findTextCodec(field, null, type?.name ?? '')
  // An array of a domain has a name of its own, which does not show the base.
  return type === undefined || field.isList ? presumeCodec(field, types) : null
}

/** What reads a type that no scalar stands on: as its text, where the form it comes in lets one. */
function findTextCodec(field: FieldSpec, type: number | string | null, key: string): ValueCodec | null {
  if (field.type !== 'String' || (type !== null && knownTypes.has(type))) return null
  return textLikeByKey.get(key) ?? (field.isList ? unknownTextListCodec : unknownTextCodec)
}

/** Prisma Client reads an enum field from text as well as from an enum type. */
function findEnumCodec(
  field: FieldSpec,
  typeOid: number,
  types: DynamicTypes,
  enums: Readonly<Record<string, EnumSpec>>,
): ValueCodec | null {
  const spec = enums[field.type]
  if (spec === undefined) return null
  const asText: FieldSpec = { ...field, kind: 'scalar', type: 'String' }
  if (findScalarCodec(asText, typeOid, types) === null) return null
  const codec = createEnumCodec(spec)
  return field.isList ? createArrayCodec(codec, { isNullElementAllowed: false }) : codec
}

/** The codec that reads `field` from a column of type `typeOid`; null where the type cannot be read as the field's. */
export function findColumnCodec(
  field: FieldSpec,
  typeOid: number,
  types: DynamicTypes,
  enums: Readonly<Record<string, EnumSpec>>,
): ValueCodec | null {
  return field.kind === 'enum'
    ? findEnumCodec(field, typeOid, types, enums)
    : findScalarCodec(field, typeOid, types)
}
