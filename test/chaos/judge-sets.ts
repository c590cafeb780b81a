/**
 * Compares what came of a set with a replay of the WAL: at each end of a transaction that it got something of, it had the rows that
 * are in it there, and nothing came of a row that was in it neither before nor after. Pure.
 */
import type { Lsn } from '../../src/wire/lsn.ts'
import type { Gap } from './gaps.ts'
import { isWithin, lsnOf } from './judge-resyncs.ts'
import type { DecodedTransaction } from './second-decoder.ts'
import { type SetEvent, SetFold, type SetSession } from './set-follower.ts'
import { type CommentRow, compareSets, replayView, type SetRows, type SetView } from './set-views.ts'

/** What really happened. */
export interface SetTruth {
  /** In commit order. */
  readonly decoded: readonly DecodedTransaction[]
  readonly gaps: readonly Gap[]
  /** A cursor with its position in one order of all timelines. */
  readonly straighten: (cursor: string) => string
}

/** What came of one set. */
export interface SetRecord {
  readonly name: string
  readonly view: SetView
  readonly sessions: readonly SetSession[]
}

/** What the judge found. */
export interface SetVerdict {
  readonly faults: readonly string[]
  /** Ends of transactions at which it was compared. */
  readonly compared: number
}

/** What is in a set behind a transaction, and what may be shown of it. */
interface SetMoment {
  readonly rows: ReadonlyMap<string, string>
  /** In it before or after, by what decides before or after, as any of its images. */
  readonly shown: ReadonlySet<string>
}

const EXAMPLES = 3

/** Judges one set. */
export function judgeSet(truth: SetTruth, { name, view, sessions }: SetRecord): SetVerdict {
  const moments = replay(truth.decoded, view)
  const gaps = truth.gaps.filter(({ models }) => models.includes('Post'))
  const faults: string[] = []
  let compared = 0
  const placeOf = (event: SetEvent) => {
    const lsn = lsnOf(truth.straighten(event.cursor))
    return { lsn, index: indexOf(truth.decoded, lsn), isInGap: isWithin(gaps, lsn) }
  }
  const note = (event: SetEvent, fault: string) =>
    faults.push(`${name}: at ${placeOf(event).lsn.toString(16)}, ${describe(event)}: ${fault}`)

  /** Behind what came last, and before what comes next: what moved rows in between would have come. */
  function compare(fold: SetFold, last: SetEvent, next: SetEvent): void {
    const [here, there] = [placeOf(last), placeOf(next)]
    // First rows may be those before the transaction that comes next: their cursor stands between two.
    const behind = last.action === 'READY' ? [here.index, here.index - 1] : [here.index]
    const places = [here.isInGap ? [] : behind, there.isInGap ? [] : [there.index - 1]]
    for (const candidates of places.filter(({ length }) => length > 0)) {
      compared += 1
      const fault = differenceAt(moments, candidates, fold)
      if (fault !== null) note(last, fault)
    }
  }

  for (const { events } of sessions) {
    const fold = new SetFold()
    let last: SetEvent | null = null
    for (const event of events) {
      if (last !== null && fold.isReady && isBoundary(last, event)) compare(fold, last, event)
      const { index, isInGap } = placeOf(event)
      const id = event.key?.rowId
      const isShown = id === undefined || moments[index]?.shown.has(id) === true
      if (event.transaction !== null && !isInGap && !isShown)
        note(event, `in sight neither before nor after, ${whenShown(truth.decoded, moments, index, id)}`)
      fold.apply(event)
      last = event
    }
  }
  return { faults, compared }
}

/** Whether all of a transaction, or of the first rows, has come. */
function isBoundary(last: SetEvent, next: SetEvent): boolean {
  if (last.action === 'READY') return true
  return last.transaction !== null && last.transaction.xid !== next.transaction?.xid
}

/** Null: it has what is there behind one of the transactions. */
function differenceAt(
  moments: readonly SetMoment[],
  indices: readonly number[],
  { rows }: SetFold,
): string | null {
  const found = indices.map((each) => compareSets(rows, moments[each]?.rows ?? new Map()))
  if (found.some(({ length }) => length === 0)) return null
  const [differences = []] = found
  return `${differences.length} rows differ: ${differences.slice(0, EXAMPLES).join('; ')}`
}

/** For who looks for the reason: the transaction by the WAL, and where the row was in sight. */
function whenShown(
  decoded: readonly DecodedTransaction[],
  moments: readonly SetMoment[],
  index: number,
  id: string,
): string {
  const at = moments.flatMap(({ shown }, each) => (shown.has(id) ? [each] : []))
  const [before, after] = [at.findLast((each) => each < index), at.find((each) => each > index)]
  const nameOf = (each: number | undefined) => (each === undefined ? 'never' : `at ${decoded[each]?.xid}`)
  return `by the WAL ${decoded[index]?.xid}: before it ${nameOf(before)}, behind it ${nameOf(after)}`
}

function describe({ action, transition, cause, transaction, key }: SetEvent): string {
  return [action, transition, cause, key?.rowId, `of ${transaction?.xid ?? 'the first rows'}`]
    .filter(Boolean)
    .join(' ')
}

/** The first transaction whose commit record ends behind the position. */
function indexOf(decoded: readonly DecodedTransaction[], lsn: Lsn): number {
  let [low, high] = [0, decoded.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((decoded[middle]?.endLsn ?? 0n) > lsn) high = middle
    else low = middle + 1
  }
  return Math.min(low, decoded.length - 1)
}

/** The set behind each transaction. */
function replay(decoded: readonly DecodedTransaction[], view: SetView): readonly SetMoment[] {
  const rows = new ReplayedRows()
  let before: ReadonlyMap<string, string> = new Map()
  return decoded.map((transaction) => {
    const images = transaction.related.flatMap((change) =>
      change.table === 'Comment' ? [change.old, change.new].filter((image) => image !== null) : [],
    ) as readonly CommentRow[]
    const isShown = () => images.filter((image) => view.has(image, rows)).map(({ id }) => id ?? '')
    const shownBefore = isShown()
    const after = rows.apply(transaction) ? replayView(view, rows) : before
    const shown = new Set([...before.keys(), ...after.keys(), ...shownBefore, ...isShown()])
    before = after
    return { rows: after, shown }
  })
}

/** Grows as transactions come. */
class ReplayedRows implements SetRows {
  readonly comments = new Map<string, CommentRow>()
  readonly posts = new Map<string, string>()
  readonly members = new Map<string, Set<string>>()

  /** @returns whether it may have moved something */
  apply({ changes, related }: DecodedTransaction): boolean {
    const posts = changes.filter(({ model }) => model === 'Post')
    for (const change of posts) {
      if (change.old !== null) this.posts.delete(change.old['id'] ?? '')
      if (change.new !== null) this.posts.set(change.new['id'] ?? '', change.new['body'] ?? '')
    }
    for (const change of related) {
      if (change.table === 'Comment') {
        if (change.old !== null) this.comments.delete(change.old['id'] ?? '')
        if (change.new !== null) this.comments.set(change.new['id'] ?? '', change.new as CommentRow)
      } else {
        if (change.old !== null) this.#membersOf(change.old['team_id']).delete(change.old['user_id'] ?? '')
        if (change.new !== null) this.#membersOf(change.new['team_id']).add(change.new['user_id'] ?? '')
      }
    }
    return posts.length + related.length > 0
  }

  #membersOf(team: string | null | undefined): Set<string> {
    const members = this.members.get(team ?? '') ?? new Set()
    this.members.set(team ?? '', members)
    return members
  }
}
