/** Stage 5, source. What kind of stream begins: the bus decides by it what its log still covers. */
import type { Lsn } from '../../wire/lsn.ts'

/** Called each time the stream begins, before its first transaction. */
export interface StreamStart {
  /** Unique for each database cluster, decimal. Source: manual, "IDENTIFY_SYSTEM". */
  readonly systemId: string
  readonly timeline: number
  /** The first stream of this process, or the first one after a gap. */
  readonly isFirst: boolean
  /** What a process before this one knew may still be read: no cursor is too old by now. @default false */
  readonly mayRecall?: boolean | undefined
  /** Everything the server may send lies at or after this. */
  readonly floorLsn: Lsn
  /** On a new timeline: up to here it is the same as the one before. Absent where that is not known. */
  readonly sharedLsn?: Lsn | undefined
  /** WAL position of the server when we connected. */
  readonly serverLsn: Lsn
}
