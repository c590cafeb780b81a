/** The table that the benchmarks change: 11 columns of the types that Prisma schemas are made of. */
import type { FieldSpec, ModelCatalog, ModelSpec } from '../src/catalog/model-catalog.ts'

/** Creates the table; every default is PostgreSQL's. */
export const ORDERS_SQL = `
  CREATE TABLE orders (
    id          integer PRIMARY KEY,
    reference   uuid NOT NULL,
    customer    varchar(120) NOT NULL,
    email       varchar(320),
    status      text NOT NULL,
    quantity    integer NOT NULL,
    total_cents bigint NOT NULL,
    price       numeric(12, 2) NOT NULL,
    is_paid     boolean NOT NULL,
    details     jsonb NOT NULL,
    created_at  timestamptz(3) NOT NULL
  );
  ALTER TABLE orders REPLICA IDENTITY FULL;
  CREATE PUBLICATION rowcast FOR TABLE orders;`

/** `SELECT` list of a row for each number `n`: about 250 bytes of text. */
const ROW_SQL = `
  n, md5(n::text)::uuid, 'Customer number ' || n, 'customer' || n || '@mail.example.com',
  CASE n % 3 WHEN 0 THEN 'waiting for payment' WHEN 1 THEN 'on its way' ELSE 'delivered' END,
  n % 50, n::bigint * 199, (n % 100000) / 100.0, n % 2 = 0,
  jsonb_build_object('weightGrams', n % 5000, 'gift', n % 7 = 0, 'note', 'leave it at the door'),
  timestamptz '2026-01-01 00:00:00Z' + n * interval '1.001 second'`

/** Inserts rows `first` … `last` in one statement. */
export function insertSql(first: number | string, last: number | string): string {
  return `INSERT INTO orders SELECT ${ROW_SQL} FROM generate_series(${first}, ${last}) AS n`
}

/** Inserts `count` rows in transactions of `batch`. */
export function insertManySql(count: number, batch: number): string {
  return `DO $$ BEGIN FOR low IN 1..${count} BY ${batch} LOOP
    ${insertSql('low', `LEAST(low + ${batch - 1}, ${count})`)}; COMMIT;
  END LOOP; END $$`
}

/** Updates `count` times one row in a transaction of its own; the table has `rows` rows. */
export function updateManySql(count: number, rows: number): string {
  return `DO $$ BEGIN FOR n IN 1..${count} LOOP
    UPDATE orders SET quantity = quantity + 1, status = 'changed ' || n WHERE id = n % ${rows} + 1; COMMIT;
  END LOOP; END $$`
}

export function field(name: string, type: string, rest: Partial<FieldSpec> = {}): FieldSpec {
  return {
    ...{ name, column: name, kind: 'scalar', type, nativeType: null, isList: false, isRequired: true },
    ...{ isUnique: false, hasDefault: false, isOmitted: false, documentation: null },
    ...rest,
  }
}

/** The model as `generator rowcast` would write it. */
export const ORDER: ModelSpec = {
  name: 'Order',
  schema: null,
  table: 'orders',
  fields: [
    field('id', 'Int'),
    field('reference', 'String', { nativeType: 'Uuid' }),
    field('customer', 'String', { nativeType: 'VarChar' }),
    field('email', 'String', { nativeType: 'VarChar', isRequired: false }),
    field('status', 'String'),
    field('quantity', 'Int'),
    field('totalCents', 'BigInt', { column: 'total_cents' }),
    field('price', 'Decimal', { nativeType: 'Decimal' }),
    field('isPaid', 'Boolean', { column: 'is_paid' }),
    field('details', 'Json'),
    field('createdAt', 'DateTime', { column: 'created_at', nativeType: 'Timestamptz' }),
  ],
  relations: [],
  primaryKey: ['id'],
  uniques: [],
  isOmitted: false,
  documentation: null,
}

/** Types of a row and its key. */
export interface OrderTypes {
  readonly [model: string]: { readonly row: Record<string, unknown>; readonly key: { readonly id: number } }
}

/** A catalog with this one model. */
export const ORDERS_CATALOG: ModelCatalog<OrderTypes> = {
  formatVersion: 1,
  models: { Order: ORDER },
  enums: {},
  joinTables: [],
}

/** Reads every field of a row, whoever made it and however it names its columns; returns how many have a value. */
export function readAllFields(row: object | null): number {
  let present = 0
  for (const name in row) if ((row as Record<string, unknown>)[name] != null) present += 1
  return present
}

/** Fields of an order as GraphQL has them. */
export const ORDER_SELECTION =
  'id reference customer email status quantity totalCents price isPaid details createdAt'
