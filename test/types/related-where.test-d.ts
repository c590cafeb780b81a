/** What the type of a `where` that follows relations must and must not allow. Compiled by `tsc`, never run. */
import type { RelatedWhere, Rowcast } from 'rowcast'
import { expectTypeOf } from 'vitest'
import type { Post } from '../../prisma/generated/client/client.ts'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'

export const posts: readonly RelatedWhere<RowcastModels, 'Post'>[] = [
  { team: { is: { name: 'x' } }, title: { contains: 'y' } },
  { team: null, author: { email: 'x' } },
  { team: { is: null }, author: { isNot: { role: 'ADMIN' } } },
  { team: { memberships: { some: { user: { is: { email: 'x' } }, isOwner: true } } } },
  { OR: [{ comments: { none: {} } }, { NOT: { comments: { every: { author: null } } } }] },
]

/** A mistake per line. */
export const mistakes: readonly RelatedWhere<RowcastModels, 'Post'>[] = [
  // @ts-expect-error no such relation
  { tem: { is: { name: 'x' } } },
  // @ts-expect-error no such field of the related model
  { team: { is: { nme: 'x' } } },
  // @ts-expect-error to one row, not to many
  { team: { some: { name: 'x' } } },
  // @ts-expect-error to many rows, not to one
  { comments: { is: { body: 'x' } } },
  // @ts-expect-error an author is never null
  { author: null },
]

export async function follow(rowcast: Rowcast<RowcastModels>): Promise<void> {
  for await (const change of rowcast.subscribe('Post', { where: { team: { is: { plan: 'FREE' } } } })) {
    expectTypeOf(change.action).toEqualTypeOf<'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE' | 'READ'>()
    if (change.action === 'READ') {
      expectTypeOf(change.new).toEqualTypeOf<Post | null>()
      expectTypeOf(change.cause).toEqualTypeOf<'RELATION'>()
    } else expectTypeOf(change.transition).toEqualTypeOf<'ENTERED' | 'STAYED' | 'LEFT'>()
  }
  // @ts-expect-error with a relation it is asked for rows, and not for changes
  rowcast.subscribe('Post', { where: { team: { is: { plan: 'FREE' } } }, action: 'INSERT' })
  // @ts-expect-error nor with conditions on one image
  rowcast.subscribe('Post', { where: { team: { is: { plan: 'FREE' } } }, new: { title: 'x' } })
}
