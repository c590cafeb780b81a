/** The sets of a run with `--sets`: who follows them, the comparison at quiet moments, and what the report says. */
import { setTimeout as delay } from 'node:timers/promises'
import { judgeSet, type SetTruth } from './judge-sets.ts'
import { openSetFollower, type SetFollower } from './set-follower.ts'
import { compareSets, queryView, SET_VIEWS } from './set-views.ts'
import type { Stage, WorldOptions } from './stage.ts'

/** What a world has of them. */
export interface ChaosSets {
  readonly followers: readonly SetFollower[]
  /** Compares all with the database. Nothing may be written meanwhile. */
  check(when: string): Promise<void>
  /** Judges all that came. */
  report(truth: SetTruth): SetsReport
}

/** What the run says of its sets. */
export interface SetsReport {
  readonly lines: readonly string[]
  readonly faults: readonly string[]
}

/** Rows are read for most transactions, and on a slow machine many may wait. */
const CATCH_UP_MS = 180_000
const EXAMPLES_MAX = 3

/** Opens followers of every set, spread over the addresses; null where the run has none. */
export function openSets(
  { random, onTrouble }: WorldOptions,
  { setWriter, writer, query }: Pick<Stage, 'setWriter' | 'writer' | 'query'>,
  urls: readonly string[],
  closing: AsyncDisposable[],
): ChaosSets | null {
  if (setWriter === null) return null
  const differences: string[] = []
  let checks = 0
  const followers = [...SET_VIEWS, ...SET_VIEWS].map((view, index) =>
    openSetFollower({
      ...{ view, isRestless: index >= SET_VIEWS.length, random: random.fork() },
      url: urls[(index + Math.floor(index / SET_VIEWS.length)) % urls.length] ?? '',
      onUnexpectedEnd: (error) => onTrouble(`Set ${view.name} was ended: ${String(error)}`),
    }),
  )
  closing.push({
    async [Symbol.asyncDispose]() {
      await Promise.all(followers.map((follower) => follower.stop()))
    },
  })

  /** Null: it has what the database finds. */
  function differenceOf(
    { fold }: SetFollower,
    probe: string,
    wanted: ReadonlyMap<string, string>,
  ): string | null {
    if (!fold.isReady) return 'its first rows have not all come'
    if (!fold.rows.has(probe)) return `row ${probe} has not come`
    const found = compareSets(fold.rows, wanted)
    return found.length === 0
      ? null
      : `${found.length} rows differ: ${found.slice(0, EXAMPLES_MAX).join('; ')}`
  }

  return {
    followers,
    async check(when) {
      const posts = await writer.probe()
      const probe = await setWriter.probe(posts.get('Post') ?? 0)
      const read = await Promise.all(SET_VIEWS.map((view) => queryView(query, view)))
      const wanted = new Map(SET_VIEWS.map((view, index) => [view, read[index] ?? new Map()]))
      const deadline = performance.now() + CATCH_UP_MS
      for (;;) {
        const found = followers.map((each) => differenceOf(each, probe, wanted.get(each.view) ?? new Map()))
        if (found.every((difference) => difference === null) || performance.now() > deadline) {
          checks += 1
          for (const [index, difference] of found.entries())
            if (difference !== null) differences.push(`${followers[index]?.name}: ${when}: ${difference}`)
          return
        }
        await delay(100)
      }
    },
    report(truth) {
      const verdicts = followers.map((follower) => judgeSet(truth, follower))
      const faults = [...differences, ...verdicts.flatMap((verdict) => verdict.faults)]
      const total = (count: (follower: SetFollower) => number) =>
        followers.reduce((sum, follower) => sum + count(follower), 0)
      const compared = verdicts.reduce((sum, verdict) => sum + verdict.compared, 0)
      return {
        faults,
        lines: [
          `sets         ${followers.length}: ${total(eventsOf)} events, ${total(movedOf)} of them rows that related rows moved, ${total(resyncsOf)} resyncs; ` +
            `${setWriter.counts.transactions} transactions of their own, ${setWriter.counts.memberships} memberships`,
          `  compared at ${compared} ends of transactions and at ${checks} quiet moments: ${faults.length} differences`,
          ...followers.map(
            (follower) =>
              `  ${String(eventsOf(follower)).padStart(7)}  ${follower.name}: ${follower.attempts} connections, ${movedOf(follower)} moved, ${resyncsOf(follower)} resyncs`,
          ),
          ...reasonsOf(followers),
        ],
      }
    },
  }
}

function eventsOf({ sessions }: SetFollower): number {
  return sessions.reduce((sum, { events }) => sum + events.length, 0)
}

function movedOf({ sessions }: SetFollower): number {
  const isMoved = ({ cause }: { readonly cause: string | null }) => cause === 'ACCESS' || cause === 'RELATION'
  return sessions.reduce((sum, { events }) => sum + events.filter(isMoved).length, 0)
}

function resyncsOf({ sessions }: SetFollower): number {
  return sessions.filter(({ resyncReason }) => resyncReason !== null).length
}

/** Why they began again, and how often. */
function reasonsOf(followers: readonly SetFollower[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const { sessions } of followers)
    for (const { resyncReason } of sessions)
      if (resyncReason !== null) counts.set(resyncReason, (counts.get(resyncReason) ?? 0) + 1)
  return [...counts].map(([reason, count]) => `  ${String(count).padStart(7)}  resyncs: ${reason}`)
}
