'use client'

/** Beside the spine, adapters. What `rowcast/react` exports: hooks over the lists of `rowcast/client`. React is the application's. */
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { ChangeClient } from '../client/change-client.ts'
import {
  type FollowedChangesOptions,
  type FollowedChangesState,
  followChanges,
} from '../client/followed-changes.ts'
import {
  type FollowedList,
  type FollowedListOptions,
  type FollowedListState,
  followList,
} from '../client/followed-list.ts'
import { createLiveList } from '../client/live-list.ts'
import type { LiveList, LiveListOptions, LiveListState } from '../client/live-list-api.ts'
import { MutationError } from '../client/own-mutations.ts'
import {
  type FollowedState,
  formatQuestion,
  MountedSubscription,
  type Subscribed,
} from './mounted-subscription.ts'

/** What each hook takes beside what it follows. */
export interface HookOptions {
  /**
   * What functions among the options depend on and `request` does not show: where one of these is another, it
   * subscribes again. @default none
   */
  readonly deps?: readonly unknown[] | undefined
}

/** What hooks that give rows take. */
export interface RowsHookOptions<Row extends object> extends HookOptions {
  /** Shown on the server, and until the first rows have come. @default none */
  readonly initialRows?: readonly Row[] | undefined
}

/** Shows what the user of this page does before the server has it: docs/client.md. */
export type OwnMutationCalls<Row extends object> = Pick<
  LiveList<Row>,
  'newMutationId' | 'show' | 'revert' | 'settled'
>

const NO_ROWS = { rows: [], status: 'loading', error: null } as const
const NO_LIST: LiveListState<never> = { ...NO_ROWS, isComplete: true }
const NO_FOLLOWED_LIST: FollowedListState<never> = { ...NO_ROWS, totalCount: null }
const NO_CHANGES: FollowedChangesState<never> = { changes: [], status: 'loading', error: null }

/**
 * `createLiveList` while the component is mounted. Options may be other objects in each render: it subscribes again where `client`, the request or
 * another value in them differs, by content; functions are those of the latest render.
 */
export function useLiveList<Row extends object, Variables = never>(
  options: LiveListOptions<Row, Variables> & RowsHookOptions<Row>,
): LiveListState<Row> & OwnMutationCalls<Row> {
  const [state, mounted] = useMounted<LiveListState<Row>, LiveList<Row>, LiveListOptions<Row>>(
    createLiveList,
    NO_LIST,
    options as LiveListOptions<Row>,
  )
  const calls = useMemo(() => ownMutationCalls(mounted), [mounted])
  return { ...state, ...calls }
}

/** `followList` while the component is mounted, with options as of `useLiveList`. */
export function useFollowedList<Row extends object, Variables = never>(
  options: FollowedListOptions<Row, Variables> & RowsHookOptions<Row>,
): FollowedListState<Row> & OwnMutationCalls<Row> {
  const [state, mounted] = useMounted<FollowedListState<Row>, FollowedList<Row>, FollowedListOptions<Row>>(
    followList,
    NO_FOLLOWED_LIST,
    options as FollowedListOptions<Row>,
  )
  const calls = useMemo(() => ownMutationCalls(mounted), [mounted])
  return { ...state, ...calls }
}

/** `followChanges` while the component is mounted, with options as of `useLiveList`. */
export function useChanges<Change extends object, Variables = never>(
  options: FollowedChangesOptions<Change, Variables> & HookOptions,
): FollowedChangesState<Change> {
  const [state] = useMounted<
    FollowedChangesState<Change>,
    Subscribed<FollowedChangesState<Change>>,
    FollowedChangesOptions<Change>
  >(followChanges, NO_CHANGES, options as FollowedChangesOptions<Change, never>)
  return state
}

function useMounted<
  State extends FollowedState,
  Subject extends Subscribed<State>,
  Options extends { readonly client: ChangeClient },
>(
  subscribe: (options: Options) => Subject,
  nothing: State,
  given: Options & RowsHookOptions<object>,
): readonly [State, MountedSubscription<State, Subject, Options>] {
  const { deps = [], initialRows, ...rest } = given
  const options = rest as unknown as Options
  const question = formatQuestion(options)
  // The same rows beside another question are still those of the first.
  const [first] = useState({ question, initialRows })
  const isOfFirst = first.question !== question && first.initialRows === initialRows
  const before = initialRows === undefined || isOfFirst ? nothing : { ...nothing, rows: initialRows }
  // What else differs from render to render is the same by content.
  const mounted = useMemo(
    () => new MountedSubscription<State, Subject, Options>(subscribe, before, options),
    [subscribe, options.client, question, ...deps],
  )
  // Before the effect of useSyncExternalStore, which subscribes.
  useEffect(() => {
    mounted.options = options
  })
  return [useSyncExternalStore(mounted.listen, mounted.read, mounted.readFirst), mounted]
}

function ownMutationCalls<Row extends object>(mounted: {
  readonly subject: OwnMutationCalls<Row> | null
}): OwnMutationCalls<Row> {
  const listFor = (mutationId: string): OwnMutationCalls<Row> => {
    if (mounted.subject === null) throw new MutationError('ended', mutationId)
    return mounted.subject
  }
  return {
    newMutationId: () => listFor('').newMutationId(),
    show: (mutationId, changes) => listFor(mutationId).show(mutationId, changes),
    revert: (mutationId) => mounted.subject?.revert(mutationId),
    settled: async (mutationId, options) => listFor(mutationId).settled(mutationId, options),
  }
}
