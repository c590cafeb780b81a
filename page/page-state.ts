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
  /** Changes that came while the page was paused, and are shown once it goes on. */
  readonly held: readonly Change[]
  /** Changes that were too many to be sent. */
  readonly skipped: number
  readonly isPaused: boolean
}

export const SAMPLES_MAX = 300
export const CHANGES_MAX = 60

/** Before the first message. */
export const EMPTY_STATE: PageState = {
  ...{ status: null, samples: [], changes: [], held: [], skipped: 0 },
  isPaused: false,
}

/** With one message more. The first one of a connection begins anew: it brings all that the server keeps. */
export function withActivity(state: PageState, activity: Activity, isFirst: boolean): PageState {
  const { status } = activity
  const samples = [...(isFirst ? [] : state.samples), ...activity.samples].slice(-SAMPLES_MAX)
  const known = new Set([...state.changes, ...state.held].map(changeId))
  const isNews = (change: Change) => !known.has(changeId(change))
  const news = activity.changes.filter(isNews).toReversed()
  const skipped = state.skipped + activity.skipped
  return state.isPaused
    ? { ...state, status, samples, skipped, held: [...news, ...state.held].slice(0, CHANGES_MAX) }
    : { ...state, status, samples, skipped, changes: [...news, ...state.changes].slice(0, CHANGES_MAX) }
}

/** Paused, the list of changes stands still; what it missed comes when it goes on. */
export function withPause(state: PageState, isPaused: boolean): PageState {
  if (isPaused) return { ...state, isPaused }
  return {
    ...state,
    isPaused,
    held: [],
    changes: [...state.held, ...state.changes].slice(0, CHANGES_MAX),
  }
}

/** The same change after a reconnection, or a restart of the server, which counts anew. */
export function changeId(change: Change): string {
  const key = change.key.map(({ value }) => value).join()
  return [change.transactionId, change.committedAt, change.model, change.action, key, change.sequence].join(
    ' ',
  )
}
