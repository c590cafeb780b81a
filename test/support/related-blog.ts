/** The posts of admins, as they are followed without a database: users are none of the clients' business. */
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import type { RelatedReading, RelatedRequest } from '../../src/sets/related-request.ts'
import { SetsBus, type SetsBusOptions } from '../../src/sets/sets-bus.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { heldRows } from './held-rows.ts'
import { plainChange, plainTransaction } from './plain-change.ts'

const { Post } = blogCatalog.models
if (Post === undefined) throw new Error('The blog has posts.')
const post = Post

/** What it may be made with besides. */
type BlogOptions = Partial<RelatedReading> &
  Pick<SetsBusOptions, 'isShared'> & { readonly monotonicMs?: (() => number) | undefined }

type Written = Pick<AnyChange, 'model' | 'action' | 'old' | 'new'> & Partial<Pick<AnyChange, 'oldKey'>>

/** Its bus, who subscribes, and what commits. */
export function relatedBlog(
  readRows: ReadRows,
  keysMax = 100,
  { isShared, monotonicMs = () => 0, ...more }: BlogOptions = {},
) {
  const inner = createMemoryBus({ models: blogCatalog.models })
  const follower = new StreamFollower({
    ...{
      bus: inner,
      look: async () => SEES_ALL,
      monotonicMs,
      wait: () => new Promise((done) => setImmediate(done)),
    },
  })
  const reading = { readRows, ...heldRows(), limits: { keysMax }, ...more }
  const bus = new SetsBus({ bus: inner, follower, guard: createGuard(silentLogger), reading, isShared })
  const rule = { where: { author: { role: 'ADMIN' } } }
  const filter = parseChangeFilter(post, blogCatalog, rule, { relations: {} })
  if (filter === null) throw new Error('It has a condition.')
  const request = { model: post, filter, setModels: new Set(['User']), asksForRows: true }
  const subscribe = (more: Partial<RelatedRequest> = {}) => bus.subscribeRelated({ ...request, ...more })
  const commit = (at: number, ...written: readonly Written[]) => {
    const transaction = plainTransaction(at)
    const changes = written.map((each, index) =>
      plainChange({ ...each, transaction, index, key: { id: (each.new ?? each.old)?.['id'] } }),
    )
    bus.publish({ transaction, changes, isFinal: true, byteLength: 100 })
  }
  return { bus, subscribe, commit }
}
