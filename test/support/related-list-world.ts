/** A list of posts that is shown with labels through a join table, over a log and a database that the test steps through. No sockets, no time. */
import { domainOf } from '../../src/bus/filter/field-domain.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import type { KeptState } from '../../src/sets/kept-parts.ts'
import { KeptSet } from '../../src/sets/kept-set.ts'
import { listOperations } from '../../src/sets/list-operations.ts'
import { ListView, type LoadedList, type ShownList } from '../../src/sets/list-view.ts'
import { OrderedWindow, type WindowRow } from '../../src/sets/ordered-window.ts'
import { ReadBudget } from '../../src/sets/read-budget.ts'
import type { ReadRelation } from '../../src/sets/read-relation.ts'
import { UntakenPatches } from '../../src/sets/untaken-patches.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { buildField } from './catalog-builder.ts'
import { PLAIN_ORIGIN } from './plain-change.ts'

const domains = [domainOf(buildField('id', 'Int'), blogCatalog)] as never
const first = {
  ...{ name: 'labels', filter: null, fields: ['id'], domains },
  related: { model: { name: '_Pair' }, fields: ['A'], domains },
} as never
const labels = {
  ...{ name: 'labels', seen: '', steps: [], first, isOptional: false, where: null, fields: ['name'] },
  ...{ last: { related: { model: { name: 'Label' }, fields: ['id'], domains } }, deciding: new Set() },
} as unknown as ReadRelation

/** What one transaction writes of a post. */
export type Written =
  | { readonly post: number; readonly isUnknown?: boolean }
  | { readonly label: number; readonly of: number; readonly isGone?: boolean }

interface Commit {
  readonly number: number
  readonly written: readonly Written[]
}

/** What one subscriber was given. */
export interface GivenList extends Omit<KeptState<ShownList>, 'shown'> {
  readonly rows: readonly WindowRow[]
  /** Whether it is the whole. */
  readonly isWhole: boolean
}

export class RelatedListWorld {
  readonly #commits: Commit[] = []
  readonly #own: object[] = []
  readonly #pairs: object[] = []
  readonly #readers: { reader: { onReadable(): void } | null }[] = []
  #waiting: { readonly isOwn: boolean; readonly commit: number; readonly delivery: object }[] = []
  #committed = 1
  #streamed = 1
  nowMs = 0
  /** How much later it is each time somebody asks. */
  tickMs = 1_000
  /** Called before and after a snapshot is taken. */
  beforeSnapshot = (): void => {}
  afterSnapshot = (): void => {}
  /** How far commits can be seen; null for all. */
  visible: number | null = null
  /** Of those before that, what no snapshot sees yet. */
  readonly unseen = new Set<number>()
  /** Called as it is asked how far they can be seen. */
  onAsked = (): void => {}
  readonly counters = { reads: 0, readMs: 0, snapshots: 0, patches: 0, shownLateMs: 0 }
  readonly set: KeptSet<LoadedList, ShownList, GivenList>

  constructor(everyMs = 0) {
    const window = new OrderedWindow({
      ...{ take: 5, margin: 10, idOf: ({ id }) => String(id), bytesOf: () => 1 },
      order: { compare: (a, b) => Number(a['id']) - Number(b['id']), orderBy: [] },
      ...{ relations: [first], readsRelated: true },
    })
    const cursorAt = (commit: number) => formatCursor(PLAIN_ORIGIN, lsnOf(commit), INDEX_AFTER_ALL)
    const monotonicMs = () => (this.nowMs += this.tickMs)
    this.set = new KeptSet<LoadedList, ShownList, GivenList>({
      whenVisible: async () => undefined,
      changeCursor: async () => {
        this.onAsked()
        return cursorAt(this.visible ?? this.#committed)
      },
      subscribe: () => [
        { subscription: this.#subscription(this.#own), relations: [] },
        { subscription: this.#subscription(this.#pairs), relations: [], asked: [labels] },
      ],
      read: async () => this.#read(),
      view: new ListView(window),
      ...{ isAskedAgain: false, isAnonymous: false, everyMs, weigh: () => undefined },
      monotonicMs,
      budget: new ReadBudget(monotonicMs, everyMs),
      wait: () => new Promise<void>((resolve) => setImmediate(resolve)),
      turns: { wait: () => null, isOver: false },
      snapshotOf: ({ shown, ...state }) => ({ ...state, rows: shown.rows, isWhole: true }),
      patchOf: (before, { shown, ...state }) => {
        const rows = listOperations(before.rows, shown.rows).map(({ row }) => row)
        return rows.length === 0 ? null : { event: { ...state, rows, isWhole: false }, bytes: 1 }
      },
      ...{ untaken: new UntakenPatches(1_000_000), counters: this.counters, onEnded: () => undefined },
    })
  }

  /** Labels of a post after a commit, as text. */
  labelsOf(post: number, commit = this.#committed): string {
    return this.#labelsOf(post, this.#writtenUpTo(commit))
  }

  #labelsOf(post: number, written: readonly Written[]): string {
    const found = new Set<number>()
    for (const each of written)
      if ('label' in each && each.of === post) found[each.isGone === true ? 'delete' : 'add'](each.label)
    return [...found].sort().join()
  }

  /** The version of a post after a commit: the last commit that wrote it. */
  versionOf(post: number, commit: number): number {
    return versionIn(
      this.#commits.filter(({ number }) => number <= commit),
      post,
    )
  }

  /** @returns its number */
  commit(...written: readonly Written[]): number {
    this.#committed += 1
    const number = this.#committed
    for (const [index, each] of written.entries()) {
      const isLast = index === written.length - 1
      this.#waiting.push({ ...this.#delivery(each, { number, index, isLast }), commit: number })
    }
    this.#commits.push({ number, written })
    return number
  }

  /** The stream brings what has been committed, up to a commit. */
  stream(upTo = this.#committed): void {
    for (const { isOwn, delivery } of this.#waiting.filter(({ commit }) => commit <= upTo))
      (isOwn ? this.#own : this.#pairs).push(delivery)
    this.#waiting = this.#waiting.filter(({ commit }) => commit > upTo)
    this.#streamed = upTo
    for (const { reader } of this.#readers) reader?.onReadable()
  }

  /** What a new subscriber is given, as long as there are turns. */
  open(): { readonly given: readonly GivenList[]; readonly taken: Promise<void> } {
    const given: GivenList[] = []
    const subscription = this.set.subscribe()
    const take = async () => {
      for await (const each of subscription) given.push(each)
    }
    const taken = take()
    // A test may look at what is given alone.
    taken.catch(() => undefined)
    return { given, taken }
  }

  /** So many turns of the loop. */
  async turns(count = 100): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  #writtenUpTo(commit: number): readonly Written[] {
    return this.#commits.filter(({ number }) => number <= commit).flatMap(({ written }) => written)
  }

  #read() {
    this.beforeSnapshot()
    const seen = this.visible ?? this.#committed
    const unseen = new Set(this.unseen)
    const sees = (xid: number) => xid <= seen && !unseen.has(xid)
    const commits = this.#commits.filter(({ number }) => sees(number))
    this.afterSnapshot()
    const written = commits.flatMap((commit) => commit.written)
    const ids = written.flatMap((each) => ('post' in each ? [each.post] : []))
    const posts = [...new Set(ids)].sort()
    const rows = posts.map((id) => ({ key: { id }, row: { id, version: versionIn(commits, id) } }))
    const related = {
      texts: posts.map((id) => this.#labelsOf(id, written)),
      ...{ keys: new Map([['labels', new Set<never>()]]), bytes: 1 },
    }
    const fence = {
      sees: ({ xid }: { readonly xid: number }) => sees(xid),
      ...{ endLsn: lsnOf(this.#committed + 1), text: `${seen} ${[...unseen]}` },
    }
    return { loaded: { rows, totalCount: null, bytes: 1, related }, tookMs: 1, bytes: 1, fence }
  }

  #delivery(
    written: Written,
    at: { readonly number: number; readonly index: number; readonly isLast: boolean },
  ) {
    const { number, index, isLast } = at
    const isOwn = 'post' in written
    const row = isOwn ? { id: written.post, version: number } : { A: written.of, B: written.label }
    const isKnown = isOwn && this.versionOf(written.post, number - 1) > 0
    const action = isOwn ? (isKnown ? 'UPDATE' : 'INSERT') : written.isGone === true ? 'DELETE' : 'INSERT'
    const change = {
      ...{ model: isOwn ? 'Post' : '_Pair', action, index, key: row, oldKey: null },
      old: action === 'INSERT' ? null : row,
      new: action === 'DELETE' ? null : row,
      unavailable: isOwn && written.isUnknown === true ? ['title'] : [],
      cursor: formatCursor(PLAIN_ORIGIN, lsnOf(number), index),
      transaction: { origin: PLAIN_ORIGIN, commitLsn: lsnOf(number), xid: number },
      fresh() {
        return this
      },
    }
    const delivery = {
      change,
      transition: null,
      hidesOld: false,
      hidesNew: false,
      isLastOfTransaction: isLast,
    }
    return { isOwn, delivery }
  }

  #subscription(queue: object[]): never {
    const pull = {
      ...{ reader: null, isEnded: false, take: () => queue.shift() },
      bookmark: () =>
        queue.length > 0 ? null : formatCursor(PLAIN_ORIGIN, lsnOf(this.#streamed), INDEX_AFTER_ALL),
    }
    this.#readers.push(pull)
    return {
      pull,
      next: () => new Promise(() => undefined),
      return: async () => ({ done: true, value: undefined }),
    } as never
  }
}

function versionIn(commits: readonly Commit[], post: number): number {
  const wrote = ({ written }: Commit) => written.some((each) => 'post' in each && each.post === post)
  return commits.filter(wrote).at(-1)?.number ?? 0
}

function lsnOf(commit: number) {
  return toLsn(BigInt(commit))
}
