/** The live page: what it knows, and what becomes of it with each message. Pure. */
import type { ActivitySubscription } from './generated/graphql.ts'

/** One message of the subscription. */
export type Activity = ActivitySubscription['rowcastActivity']
export type Status = Activity['status']
export type ModelActivity = Status['models'][number]
export type Sample = Activity['samples'][number]
export type Change = Activity['changes'][number]

/** What the page shows. */
export interface PageState {
  readonly status: Status | null
  /** Oldest first, five minutes at most. */
  readonly samples: readonly Sample[]
  /** Newest first. */
  readonly changes: readonly Change[]
  /** Changes that came while the list was to stand still; newest first. */
  readonly held: readonly Change[]
  /** Changes that were too many to be sent. */
  readonly skipped: number
  readonly isPaused: boolean
  /** Whether somebody reads in the list: it must not move under their eyes. */
  readonly isReading: boolean
  /** When the connection was lost; null while there is one. */
  readonly lostAt: Date | null
}

export const SAMPLES_MAX = 300
/** Changes shown of all models together. */
export const CHANGES_MAX = 60
/** Changes of one model that are kept however much the others change. */
export const CHANGES_OF_MODEL_MAX = 5

/** Before the first message. */
export const EMPTY_STATE: PageState = {
  ...{ status: null, samples: [], changes: [], held: [], skipped: 0 },
  ...{ isPaused: false, isReading: false, lostAt: null },
}

/** With one message more. The first one of a connection restarts: it brings all that the server keeps. */
export function withActivity(state: PageState, activity: Activity, isFirst: boolean): PageState {
  const { status } = activity
  const samples = [...(isFirst ? [] : state.samples), ...activity.samples].slice(-SAMPLES_MAX)
  const known = new Set([...state.changes, ...state.held].map(changeId))
  const isNews = (change: Change) => !known.has(changeId(change))
  const news = activity.changes.filter(isNews).toReversed()
  const skipped = state.skipped + activity.skipped
  const held = keep([...news, ...state.held])
  const next = { ...state, status, samples, skipped, held, lostAt: null }
  return state.isPaused || state.isReading ? next : withHeldShown(next)
}

/** Paused, the list of changes stands still; what it missed comes when it goes on. */
export function withPause(state: PageState, isPaused: boolean): PageState {
  const next = { ...state, isPaused }
  return isPaused || state.isReading ? next : withHeldShown(next)
}

/** While somebody reads, the list stands still as well. */
export function withReading(state: PageState, isReading: boolean): PageState {
  const next = { ...state, isReading }
  return isReading || state.isPaused ? next : withHeldShown(next)
}

/** Shows what was held back, because somebody wants to see it. */
export function withHeldShown(state: PageState): PageState {
  if (state.held.length === 0) return state
  return { ...state, held: [], changes: keep([...state.held, ...state.changes]) }
}

/** Without a connection: what is shown is as old as this moment. */
export function withLoss(state: PageState, at: Date): PageState {
  return { ...state, lostAt: state.lostAt ?? at }
}

/** The newest of all, and the last few of each model. */
function keep(changes: readonly Change[]): readonly Change[] {
  const counts = new Map<string, number>()
  return changes.filter(({ model }, index) => {
    const count = (counts.get(model) ?? 0) + 1
    counts.set(model, count)
    return index < CHANGES_MAX || count <= CHANGES_OF_MODEL_MAX
  })
}

/** What the list shows: the changes of one model, or the newest of all. @param model empty for all */
export function shownChanges({ changes }: PageState, model: string): readonly Change[] {
  return model === '' ? changes.slice(0, CHANGES_MAX) : changes.filter((change) => change.model === model)
}

/** The changes of one transaction, in the order in which it made them. */
export interface Transaction {
  readonly id: string
  readonly xid: string
  readonly committedAt: string
  readonly changes: readonly Change[]
}

/** Newest first. @param changes newest first */
export function groupByTransaction(changes: readonly Change[]): readonly Transaction[] {
  const groups = new Map<string, Change[]>()
  for (const change of changes) {
    const id = `${change.transactionId} ${change.committedAt}`
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [change])
    else group.unshift(change)
  }
  return [...groups].flatMap(([id, group]) => {
    const [first] = group
    if (first === undefined) return []
    const { transactionId: xid, committedAt } = first
    return [{ id, xid, committedAt, changes: group }]
  })
}

/** The same change after a reconnection, or a restart of the server, which counts again. */
export function changeId(change: Change): string {
  const key = change.key.map(({ value }) => value).join()
  return [change.transactionId, change.committedAt, change.model, change.action, key, change.sequence].join(
    ' ',
  )
}
