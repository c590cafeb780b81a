/**
 * Stage 3, catalog. The one importer of Prisma Client's runtime: its Decimal class, so that a row's decimals are
 * `instanceof Prisma.Decimal` in the application, too; and the nulls of its Json filters, which it knows by identity.
 */
export { AnyNull, DbNull, Decimal, JsonNull } from '@prisma/client/runtime/client'
