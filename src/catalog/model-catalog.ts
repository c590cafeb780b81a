/**
 * Stage 3, catalog. The Prisma schema as rowcast needs it: model ⇄ schema-qualified table, field ⇄ column.
 * Written by `generator rowcast` (src/generator/) from Prisma's DMMF; read by everything after stage 2.
 */

/** Prisma's scalar types. Prisma schema reference, "Model field scalar types". */
export type ScalarType =
  | 'String'
  | 'Int'
  | 'BigInt'
  | 'Float'
  | 'Decimal'
  | 'DateTime'
  | 'Json'
  | 'Bytes'
  | 'Boolean'

/** One scalar or enum field of a model: everything that has a column of its own. */
export interface FieldSpec {
  /** Name in the Prisma schema, and the key of the row object. */
  readonly name: string
  /** Name of the column in PostgreSQL (`@map`). */
  readonly column: string
  readonly kind: 'scalar' | 'enum'
  /** A `ScalarType`, or the name of an enum of the catalog. */
  readonly type: string
  /** `@db.…` without the prefix: `Uuid`, `VarChar`, `Timestamptz`; null for Prisma's default mapping. */
  readonly nativeType: string | null
  /** What stands in its brackets: `['12', '2']` of `@db.Decimal(12, 2)`. Absent where nothing does. */
  readonly nativeArguments?: readonly string[] | undefined
  readonly isList: boolean
  readonly isRequired: boolean
  readonly isUnique: boolean
  /** `@default`, `@updatedAt`: a create needs no value for it. */
  readonly hasDefault: boolean
  /** Marked `/// @rowcast.omit`: never reaches GraphQL. */
  readonly isOmitted: boolean
  /** What it is called in GraphQL, where somebody chose that: `/// @rowcast.name("…")`, `names` of the config. */
  readonly graphqlName?: string | undefined
  readonly documentation: string | null
}

/** One relation field of a model. */
export interface RelationSpec {
  readonly name: string
  /** The model it leads to. */
  readonly model: string
  readonly relationName: string
  readonly isList: boolean
  readonly isRequired: boolean
  /** Foreign-key fields of this model; empty on the side that does not hold the key. */
  readonly fields: readonly string[]
  /** The fields of the other model that `fields` point at, in the same order. */
  readonly references: readonly string[]
  /** Marked `/// @rowcast.omit`: never reaches GraphQL. */
  readonly isOmitted: boolean
  /** What it is called in GraphQL, where somebody chose that: `/// @rowcast.name("…")`, `names` of the config. */
  readonly graphqlName?: string | undefined
  readonly documentation: string | null
}

/** One model. */
export interface ModelSpec {
  readonly name: string
  /** Its name in the Prisma schema, where it has another here: a model of another source is called so. Never generated. @default `name` */
  readonly prismaName?: string | undefined
  /** PostgreSQL schema (`@@schema`); null where the Prisma schema does not say: the connection's, `public` by default. */
  readonly schema: string | null
  /** Table name (`@@map`). */
  readonly table: string
  readonly fields: readonly FieldSpec[]
  readonly relations: readonly RelationSpec[]
  /** Field names of `@id` or `@@id`, in the order of the key; empty where the model has none. */
  readonly primaryKey: readonly string[]
  /** Field names of each `@unique` and `@@unique`. */
  readonly uniques: readonly (readonly string[])[]
  /** Marked `/// @rowcast.omit`: the whole model never reaches GraphQL. */
  readonly isOmitted: boolean
  /** What it is called in GraphQL, where somebody chose that: `/// @rowcast.name("…")`, `names` of the config. */
  readonly graphqlName?: string | undefined
  /** What the query of its rows is called, where somebody chose that: `/// @rowcast.plural("…")`, `User[]` in `names` of the config. */
  readonly graphqlPlural?: string | undefined
  readonly documentation: string | null
}

/** One enum with the labels PostgreSQL stores. */
export interface EnumSpec {
  readonly name: string
  readonly schema: string | null
  /** Name of the type in PostgreSQL (`@@map`). */
  readonly dbName: string
  /** Prisma name and database label (`@map`) of each value, in the order of the schema. */
  readonly values: readonly EnumValueSpec[]
  /** What it is called in GraphQL, where somebody chose that: `/// @rowcast.name("…")`, `names` of the config. */
  readonly graphqlName?: string | undefined
  readonly documentation: string | null
}

/** One value of an enum. */
export interface EnumValueSpec {
  /** Name in the Prisma schema, and the value Prisma Client returns. */
  readonly name: string
  /** What PostgreSQL stores (`@map`). */
  readonly label: string
  /** What it is called in GraphQL, where somebody chose that: `/// @rowcast.name("…")`, `names` of the config. */
  readonly graphqlName?: string | undefined
  readonly documentation: string | null
}

/**
 * The table Prisma makes for an implicit many-to-many relation: columns `A` and `B`, which together are the
 * primary key; tables made before Prisma 6 have a unique index on the two instead.
 */
export interface JoinTableSpec {
  readonly relationName: string
  /** PostgreSQL schema: that of `modelA`. */
  readonly schema: string | null
  readonly table: string
  /** Model that column `A` points at (the alphabetically first). */
  readonly modelA: string
  readonly modelB: string
}

/** Types of one model, as the generator writes them. */
export interface ModelTypes {
  /** What Prisma Client returns for a row without `select`. */
  readonly row: object
  /** The primary key's fields; null where the model has no `@id` or `@@id`. */
  readonly key: object | null
  /** By name, the model that each relation leads to, and whether to one row, one or none, or many. */
  readonly relations?: object | undefined
}

/** Model name → its types. */
export type ModelTypeMap = Readonly<Record<string, ModelTypes>>

/**
 * The whole catalog. `Types` exists for the compiler only: it makes `register('User')` and
 * `subscribe('User')` typed without anything at run time.
 */
export interface ModelCatalog<Types extends ModelTypeMap = ModelTypeMap> {
  /** Version of this shape, so that a catalog generated by another rowcast is recognised. */
  readonly formatVersion: 1
  readonly models: Readonly<Record<keyof Types & string, ModelSpec>>
  readonly enums: Readonly<Record<string, EnumSpec>>
  readonly joinTables: readonly JoinTableSpec[]
  /** Never present at run time. */
  readonly '~types'?: Types
  /** Digits of money after the point, once the database has been asked. Never generated. @default 2 */
  readonly '~moneyScale'?: () => number
  /** Digits of a second that columns have, once the stream has described their tables. Never generated. @default as the Prisma schema has it */
  readonly '~timeDigits'?: (field: FieldSpec) => number | undefined
  /** `alwaysRequired` of the config. Never generated. @default false */
  readonly '~alwaysRequired'?: boolean
}
