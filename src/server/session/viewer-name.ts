/** Stage 8, server. Whom a session's `viewerKey` names. */
import type { Session } from './context.ts'

/** What texts become when somebody made them of nothing: `${undefined}`, `${NaN}`, `${{ … }}`. */
const MADE_OF_NOTHING: ReadonlySet<string> = new Set(['', 'undefined', 'null', 'NaN', '[object Object]'])

/**
 * One text for a viewer; null for nobody in particular. What is empty, or no number, is no name: all who have it would be
 * one viewer, and the first of them would use up the bounds of the others.
 */
export function viewerNameOf(key: Session['viewerKey']): string | null {
  if (key === undefined || key === null) return null
  if (typeof key === 'number' && !Number.isFinite(key)) return null
  const name = String(key)
  return MADE_OF_NOTHING.has(name.trim()) ? null : name
}
