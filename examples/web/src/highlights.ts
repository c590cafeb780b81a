/** Which rows have just changed, and how: shown at once, forgotten a moment later. */
import { useSyncExternalStore } from 'react'

const SHOWN_MS = 1_500

let current: ReadonlyMap<string, string> = new Map()
const listeners = new Set<() => void>()

function set(next: ReadonlyMap<string, string>): void {
  current = next
  for (const listener of listeners) listener()
}

/** Lights a row up. */
export function highlight(key: string, action: string): void {
  set(new Map(current).set(key, action))
  setTimeout(() => {
    const next = new Map(current)
    next.delete(key)
    set(next)
  }, SHOWN_MS)
}

/** Key → what happened to it just now. */
export function useHighlights(): ReadonlyMap<string, string> {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}
