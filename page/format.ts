/** The live page: numbers and words for people. Pure. */
import type { Change, ModelActivity, Status } from './page-state.ts'

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** `0 B`, `12 kB`, `1.5 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${UNITS[unit] ?? ''}`
}

/** `0.4`, `12`, `1,200`. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0'
  return perSecond < 10 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond))
}

export function formatCount(count: number): string {
  return count.toLocaleString('en')
}

/** `1 change`, `3 changes`. */
export function countOf(count: number, thing: string): string {
  return `${formatCount(count)} ${thing}${count === 1 ? '' : 's'}`
}

/** `3 ms`, `1.2 s`. */
export function formatDelay(delayMs: number): string {
  return delayMs < 1_000 ? `${Math.round(delayMs)} ms` : `${Number((delayMs / 1_000).toFixed(1))} s`
}

/** The time of day, to the second. */
export function formatTime(moment: string | Date): string {
  return new Date(moment).toLocaleTimeString('en-GB')
}

/** The lowest top of a scale that holds the value: its half is a round number, too. */
export function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, Number.MIN_VALUE)))
  return power * ([1, 2, 4, 6, 8].find((step) => value <= step * power) ?? 10)
}

const VERBS = { INSERT: 'added', UPDATE: 'changed', DELETE: 'deleted', TRUNCATE: 'emptied' } as const

/** What a screen reader reads: `3 changes: User changed 2 times, Post added.` */
export function summarize(changes: readonly Change[]): string {
  const counts = new Map<string, number>()
  for (const { model, action } of changes) {
    const words = `${model} ${VERBS[action]}`
    counts.set(words, (counts.get(words) ?? 0) + 1)
  }
  const parts = [...counts].map(([words, count]) => (count === 1 ? words : `${words} ${count} times`))
  return `${countOf(changes.length, 'change')}: ${parts.join(', ')}.`
}

/** What stands where there are no changes to be shown. @param model null where all are shown */
export function explainEmptyList(
  model: ModelActivity | null,
  { startedAt }: Pick<Status, 'startedAt'>,
): string {
  if (model === null) return 'Nothing has changed yet. Change a row, and it shows up here.'
  const { name, lastChangeAt } = model
  if (lastChangeAt === null || lastChangeAt === undefined)
    return `No changes of ${name} yet: none since rowcast started at ${formatTime(startedAt)}.`
  return `No changes of ${name} here: its last one was at ${formatTime(lastChangeAt)}, before those that are kept.`
}

/** PostgreSQL's `wal_status` of the slot in words. Source: manual, "pg_replication_slots". */
const SLOT_WORDS: Readonly<Record<string, readonly [word: string, meaning: string]>> = {
  reserved: ['Healthy', 'PostgreSQL keeps all that is still to be read'],
  extended: ['Healthy', 'PostgreSQL keeps all that is still to be read, beyond max_wal_size'],
  unreserved: ['In danger', 'PostgreSQL may soon remove what is still to be read'],
  lost: ['Lost', 'PostgreSQL has removed what was still to be read'],
}

/** The state of a slot in a word, and what it means. */
export function explainSlot(walStatus: string | null | undefined): readonly [string, string] {
  if (walStatus === null || walStatus === undefined) return ['–', 'not looked at yet']
  return SLOT_WORDS[walStatus] ?? [walStatus, 'as PostgreSQL says']
}
