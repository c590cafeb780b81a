/**
 * Stage 3, catalog. The one importer of Prisma Client's runtime: its Decimal class, so that a row's decimals are
 * `instanceof Prisma.Decimal` in the application, too.
 */
export { Decimal } from '@prisma/client/runtime/client'
