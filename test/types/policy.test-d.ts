/** What the types of policies must and must not allow. Compiled by `tsc`, never run. */
import { catalog, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import { defineConfig, type ServiceConfig } from '../../src/config/config.ts'
import type { Rowcast } from '../../src/rowcast-api.ts'

interface AppContext {
  readonly viewer: { readonly id: string; readonly isStaff: boolean }
}

declare const createPrisma: ServiceConfig['createPrisma']
declare const rowcast: Rowcast<RowcastModels>

export const config = defineConfig({
  catalog,
  createPrisma,
  models: {
    Post: {
      canSubscribe: ({ viewer }: AppContext) => viewer.isStaff,
      rows: async ({ viewer }: AppContext) => ({ authorId: viewer.id, status: { not: 'DRAFT' } }),
      fields: ({ viewer }: AppContext) => (viewer.isStaff ? 'all' : ['id', 'title']),
      omit: ['body'],
    },
    Tag: { public: true },
    Team: { live: false, rows: () => 'none' },
  },
})
rowcast.register('Post', { rows: ({ viewer }: AppContext) => ({ authorId: viewer.id }) })
rowcast.register('Comment', {
  rows: ({ viewer }: AppContext) => ({ post: { team: { memberships: { some: { userId: viewer.id } } } } }),
})

/** A mistake per line. */
export const mistakes: readonly ServiceConfig<RowcastModels>['models'][] = [
  // @ts-expect-error no such field
  { Post: { rows: () => ({ autorId: 'x' }) } },
  // @ts-expect-error no such field of the related model
  { Post: { rows: () => ({ author: { emial: 'x' } }) } },
  // @ts-expect-error no operator of a relation to many
  { Post: { rows: () => ({ tags: { is: { name: 'x' } } }) } },
  // @ts-expect-error neither a filter nor a word
  { Post: { rows: () => true } },
  // @ts-expect-error undefined would match every row
  { Post: { rows: () => ({ authorId: undefined }) } },
  // @ts-expect-error no such field
  { Post: { fields: () => ['titel'] } },
  // @ts-expect-error no such field
  { Post: { omit: ['titel'] } },
  // @ts-expect-error no such field
  { Post: { expose: ['pasword'] } },
  // @ts-expect-error neither true nor false
  { Post: { canSubscribe: () => 'yes' } },
]
// @ts-expect-error no such field
rowcast.register('Post', { rows: () => ({ autorId: 'x' }) })
