/** Stage 5, source. What the next stream of a process is to those who hear of it. */
import type { RowcastError } from '../../errors.ts'
import type { StreamStart } from '../watch/session-start.ts'
import type { PreparedStream } from './slot-preparation.ts'

/** Where it begins, and whether all subscriptions begin with it. Pure. */
export function streamStart(
  { continuity, identity }: Pick<PreparedStream, 'continuity' | 'identity'>,
  gap: RowcastError | null,
  keepsLastChanges: boolean,
): StreamStart {
  const isFirst = continuity.kind === 'first'
  return {
    systemId: identity.systemId,
    timeline: identity.timeline,
    isFirst: gap !== null || isFirst,
    mayRecall: gap === null && isFirst && keepsLastChanges,
    ...{ floorLsn: continuity.floorLsn, sharedLsn: continuity.sharedLsn },
    serverLsn: identity.flushedLsn,
  }
}
