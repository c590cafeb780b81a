/** The live page: numbers and words for people. Pure. */
import type { Change } from './page-state.ts'

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

/** `3 ms`, `1.2 s`. */
export function formatDelay(delayMs: number): string {
  return delayMs < 1_000 ? `${Math.round(delayMs)} ms` : `${(delayMs / 1_000).toFixed(1)} s`
}

/** The time of day, to the second. */
export function formatTime(isoText: string): string {
  return new Date(isoText).toLocaleTimeString('en-GB')
}

const VERBS = { INSERT: 'added', UPDATE: 'changed', DELETE: 'deleted', TRUNCATE: 'emptied' } as const

/** What a screen reader is told: `3 changes: User changed 2 times, Post added.` */
export function summarize(changes: readonly Change[]): string {
  const counts = new Map<string, number>()
  for (const { model, action } of changes) {
    const words = `${model} ${VERBS[action]}`
    counts.set(words, (counts.get(words) ?? 0) + 1)
  }
  const parts = [...counts].map(([words, count]) => (count === 1 ? words : `${words} ${count} times`))
  return `${changes.length === 1 ? '1 change' : `${changes.length} changes`}: ${parts.join(', ')}.`
}
