/** Stage 4, changes. Under which key a row was known before a change. */
import type { AnyChange, AnyRow } from './change.ts'

/** The primary key before an UPDATE or a DELETE; null where there was no row, or where PostgreSQL did not say which it was. */
export function keyBefore({
  action,
  key,
  oldKey,
}: Pick<AnyChange, 'action' | 'key' | 'oldKey'>): AnyRow | null {
  if (action === 'INSERT' || action === 'TRUNCATE') return null
  if (action === 'DELETE' || oldKey === null) return key
  return oldKey ?? null
}
