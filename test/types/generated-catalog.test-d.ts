/** What the generated types must and must not allow. Compiled by `tsc`, never run. */
import { type ChangeAction, createRowcast, type ModelCatalog, type ModelTypeMap } from 'rowcast'
import { expectTypeOf } from 'vitest'
import type { User as PrismaUser } from '../../prisma/generated/client/client.ts'
import { type Change, catalog, type ModelName, type RowcastModels } from '../../prisma/generated/rowcast.ts'

// Names.
expectTypeOf<ModelName>().toEqualTypeOf<
  'Account' | 'AuditEvent' | 'Comment' | 'Membership' | 'Post' | 'Session' | 'Tag' | 'Team' | 'User'
>()
// @ts-expect-error no such model
export type NoSuchChange = Change<'Usr'>

// Rows are Prisma Client's own, keys are their key fields.
expectTypeOf<RowcastModels['User']['row']>().toEqualTypeOf<PrismaUser>()
expectTypeOf<RowcastModels['User']['key']>().toEqualTypeOf<{ id: string }>()
expectTypeOf<RowcastModels['Membership']['key']>().toEqualTypeOf<{ userId: string; teamId: string }>()
expectTypeOf<RowcastModels['AuditEvent']['key']>().toEqualTypeOf<{ id: bigint }>()

/** A change narrows by its action. */
export function readUser(change: Change<'User'>): void {
  expectTypeOf(change.model).toEqualTypeOf<'User'>()
  switch (change.action) {
    case 'INSERT':
      expectTypeOf(change.old).toEqualTypeOf<null>()
      expectTypeOf(change.new).toEqualTypeOf<PrismaUser>()
      break
    case 'UPDATE':
      expectTypeOf(change.old).toEqualTypeOf<PrismaUser | null>()
      expectTypeOf(change.new.storageBytes).toEqualTypeOf<bigint>()
      expectTypeOf(change.changed).toEqualTypeOf<readonly (keyof PrismaUser)[]>()
      break
    case 'DELETE':
      expectTypeOf(change.new).toEqualTypeOf<null>()
      // Unknown under a replica identity that does not hold the primary key.
      expectTypeOf(change.key).toEqualTypeOf<Pick<PrismaUser, 'id'> | null>()
      break
    case 'TRUNCATE':
      expectTypeOf(change.key).toEqualTypeOf<null>()
      break
    default:
      expectTypeOf(change).toEqualTypeOf<never>()
  }
  // @ts-expect-error an UPDATE may come without the old row
  if (change.action === 'UPDATE') change.old.email
  // @ts-expect-error the model has no such field
  change.new?.emial
}

/** Of several models, it narrows by model too. */
export function readAny(change: Change): void {
  if (change.model === 'Post' && change.action === 'INSERT') {
    expectTypeOf(change.new.status).toEqualTypeOf<'DRAFT' | 'IN_REVIEW' | 'PUBLISHED'>()
  }
}

/** The catalog carries the types into the library. */
export async function useLibrary(): Promise<void> {
  const rowcast = createRowcast({ catalog })
  rowcast.register('User').register('Post')
  // @ts-expect-error no such model
  rowcast.register('Usr')
  // @ts-expect-error no such model
  rowcast.subscribe('Usr')
  for await (const change of rowcast.subscribe('Post')) {
    expectTypeOf(change).toEqualTypeOf<Change<'Post'>>()
    expectTypeOf(change.action).toEqualTypeOf<ChangeAction>()
  }
  for await (const change of rowcast.subscribe('User', { action: ['UPDATE'] })) {
    expectTypeOf(change.new).toEqualTypeOf<PrismaUser>()
  }
}

// A typed catalog is a catalog.
expectTypeOf(catalog).toExtend<ModelCatalog<ModelTypeMap>>()
expectTypeOf(catalog.models.User.name).toEqualTypeOf<string>()
// @ts-expect-error no such model
export const noSuchModel = catalog.models.Usr
