/**
 * Stage 3, catalog. The one table of types: which PostgreSQL types a field of each Prisma scalar may stand on, and
 * what reads them. The documentation's table of types is printed from it.
 * Source of the OIDs: src/include/catalog/pg_type.dat, fixed for all versions.
 */
import type { ScalarType } from '../model-catalog.ts'
import { Decimal } from '../prisma-runtime.ts'
import { createArrayCodec } from './array-codec.ts'
import { dateCodec, timeCodec, timestampCodec, timetzCodec } from './date-time-codecs.ts'
import { createMoneyCodec, MONEY_SCALE_DEFAULT, numericCodec } from './decimal-codecs.ts'
import { float4Codec, float8Codec } from './float-codecs.ts'
import { int2Codec, int4Codec, int8Codec, oidCodec, safeInt8Codec } from './integer-codecs.ts'
import { networkAddressCodec } from './network-address-codec.ts'
import { booleanCodec, bytesCodec, jsonbCodec, jsonCodec } from './plain-codecs.ts'
import { bitStringCodec, textCodec, uuidCodec } from './text-codecs.ts'
import {
  hstoreCodec,
  integerRangeCodec,
  intervalCodec,
  macaddr6Codec,
  macaddr8Codec,
  versionedTextCodec,
} from './text-like-codecs.ts'
import { convertCodec, guardCodec, type ValueCodec } from './value-codec.ts'

/** One row: a field of `scalar` on a column of `pgType`. */
export interface TypeRow {
  readonly scalar: ScalarType
  /** `@db.…` without the prefix; null for types that Prisma has no attribute for. */
  readonly nativeType: string | null
  /** Name in pg_type; a column of it needs no dynamic OID. */
  readonly pgType: string
  readonly oid: number
  /** OID of `pgType[]`. */
  readonly arrayOid: number
  readonly codec: ValueCodec
  readonly listCodec: ValueCodec
  /** False for columns that Prisma reads though its schema would not create them so, int4 behind a BigInt field. */
  readonly isNative: boolean
}

/** A row as written down here. */
type Entry = readonly [
  pgType: string,
  oid: number,
  arrayOid: number,
  nativeType: string | null,
  codec: ValueCodec,
]

const toBigint = (value: unknown): unknown => BigInt(value as number)
const toDecimal = (value: unknown): unknown =>
  new Decimal(typeof value === 'bigint' ? value.toString() : (value as number))
const toNumber = (value: unknown): unknown => Number(value)

/** What Prisma's schema may ask for: each scalar with each of its native types, the default mapping first. */
const NATIVE = {
  String: [
    ['text', 25, 1009, 'Text', textCodec],
    ['varchar', 1043, 1015, 'VarChar', textCodec],
    ['bpchar', 1042, 1014, 'Char', textCodec],
    ['uuid', 2950, 2951, 'Uuid', uuidCodec],
    ['inet', 869, 1041, 'Inet', networkAddressCodec],
    ['bit', 1560, 1561, 'Bit', bitStringCodec],
    ['varbit', 1562, 1563, 'VarBit', bitStringCodec],
    ['xml', 142, 143, 'Xml', textCodec],
  ],
  Int: [
    ['int4', 23, 1007, 'Integer', int4Codec],
    ['int2', 21, 1005, 'SmallInt', int2Codec],
    ['oid', 26, 1028, 'Oid', oidCodec],
  ],
  BigInt: [['int8', 20, 1016, 'BigInt', int8Codec]],
  Float: [
    ['float8', 701, 1022, 'DoublePrecision', float8Codec],
    ['float4', 700, 1021, 'Real', float4Codec],
  ],
  Decimal: [
    ['numeric', 1700, 1231, 'Decimal', numericCodec],
    ['money', 790, 791, 'Money', createMoneyCodec(MONEY_SCALE_DEFAULT)],
  ],
  DateTime: [
    ['timestamp', 1114, 1115, 'Timestamp', timestampCodec],
    ['timestamptz', 1184, 1185, 'Timestamptz', timestampCodec],
    ['date', 1082, 1182, 'Date', dateCodec],
    ['time', 1083, 1183, 'Time', timeCodec],
    ['timetz', 1266, 1270, 'Timetz', timetzCodec],
  ],
  Json: [
    ['jsonb', 3802, 3807, 'JsonB', jsonbCodec],
    ['json', 114, 199, 'Json', jsonCodec],
  ],
  Bytes: [['bytea', 17, 1001, 'ByteA', bytesCodec]],
  Boolean: [['bool', 16, 1000, 'Boolean', booleanCodec]],
} as const satisfies Readonly<Record<ScalarType, readonly Entry[]>>

/** What Prisma Client reads as well, when a column was altered and its schema was not, or has no attribute for it. */
const TOLERATED = {
  String: [
    ['cidr', 650, 651, null, networkAddressCodec],
    ['name', 19, 1003, null, textCodec],
  ],
  Int: [['int8', 20, 1016, null, safeInt8Codec]],
  BigInt: [
    ['int4', 23, 1007, null, convertCodec(int4Codec, toBigint)],
    ['int2', 21, 1005, null, convertCodec(int2Codec, toBigint)],
    ['oid', 26, 1028, null, convertCodec(oidCodec, toBigint)],
  ],
  Float: [
    ['int4', 23, 1007, null, int4Codec],
    ['int2', 21, 1005, null, int2Codec],
    ['int8', 20, 1016, null, convertCodec(int8Codec, toNumber)],
    ['numeric', 1700, 1231, null, convertCodec(numericCodec, toNumber)],
  ],
  Decimal: [
    ['int4', 23, 1007, null, convertCodec(int4Codec, toDecimal)],
    ['int2', 21, 1005, null, convertCodec(int2Codec, toDecimal)],
    ['int8', 20, 1016, null, convertCodec(int8Codec, toDecimal)],
    ['float8', 701, 1022, null, convertCodec(float8Codec, toDecimal)],
    ['float4', 700, 1021, null, convertCodec(float4Codec, toDecimal)],
  ],
} as const satisfies Readonly<Partial<Record<ScalarType, readonly Entry[]>>>

/** What stands after `@db.`: where something depends on it, a record over all of them misses no new one. */
export type NativeTypeName =
  | (typeof NATIVE)[ScalarType][number][3]
  | (typeof EXTENSION_TYPES)[number]['nativeType']
/** Names in pg_type of the table's rows. */
export type TablePgType =
  | (typeof NATIVE)[ScalarType][number][0]
  | (typeof TOLERATED)[keyof typeof TOLERATED][number][0]

function toRow(scalar: ScalarType, isNative: boolean) {
  return ([pgType, oid, arrayOid, nativeType, codec]: Entry): TypeRow => ({
    scalar,
    nativeType,
    pgType,
    oid,
    arrayOid,
    codec,
    listCodec: createArrayCodec(codec, { isNullElementAllowed: scalar === 'Json' }),
    isNative,
  })
}

const SCALARS = Object.keys(NATIVE) as ScalarType[]

/** Every scalar on every built-in type it can be read from; the default mapping of a scalar is its first row. */
export const TYPE_TABLE: readonly TypeRow[] = SCALARS.flatMap((scalar) => [
  ...NATIVE[scalar].map(toRow(scalar, true)),
  ...toleratedBy(scalar).map(toRow(scalar, false)),
])

function toleratedBy(scalar: ScalarType): readonly Entry[] {
  const tolerated: Readonly<Partial<Record<ScalarType, readonly Entry[]>>> = TOLERATED
  return tolerated[scalar] ?? []
}

/** Types that a String field shows as PostgreSQL prints them, though their binary form is another. */
export interface TextLikeType {
  readonly pgType: string
  /** Null for types of extensions, which have an OID of their own in each database and are known by name. */
  readonly oid: number | null
  readonly arrayOid: number | null
  readonly codec: ValueCodec
  readonly listCodec: ValueCodec
}

const TEXT_LIKE: readonly (readonly [string, number | null, number | null, ValueCodec])[] = [
  ['ltree', null, null, versionedTextCodec],
  ['lquery', null, null, versionedTextCodec],
  ['ltxtquery', null, null, versionedTextCodec],
  ['hstore', null, null, hstoreCodec],
  ['jsonpath', 4072, 4073, versionedTextCodec],
  ['interval', 1186, 1187, intervalCodec],
  ['macaddr', 829, 1040, macaddr6Codec],
  ['macaddr8', 774, 775, macaddr8Codec],
  ['int4range', 3904, 3905, integerRangeCodec],
  ['int8range', 3926, 3927, integerRangeCodec],
]

/** All of them. Prisma Client reads those of extensions; it refuses the others, which PostgreSQL's text stands for. */
export const TEXT_LIKE_TYPES: readonly TextLikeType[] = TEXT_LIKE.map(([pgType, oid, arrayOid, codec]) => ({
  pgType,
  oid,
  arrayOid,
  // A type of the same name need not be the extension's.
  codec: guardCodec(codec),
  listCodec: createArrayCodec(guardCodec(codec), { isNullElementAllowed: false }),
}))

/** Rows of extension types, which have an OID of their own in each database and are known by name. */
export const EXTENSION_TYPES = [
  { scalar: 'String', nativeType: 'Citext', pgType: 'citext' },
] as const satisfies readonly {
  readonly scalar: ScalarType
  readonly nativeType: string
  readonly pgType: string
}[]

/**
 * OIDs below it are PostgreSQL's own and the same everywhere; the stream names all types from it on. Those of
 * information_schema are among them. FirstGenbkiObjectId, src/include/access/transam.h.
 */
export const FIRST_DYNAMIC_OID = 10_000
