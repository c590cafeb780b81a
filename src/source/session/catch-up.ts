/**
 * Stage 5, source. Whether all that the server had when a history began has come. A position from before that would be older
 * than the rows that are queried for it: their changes would come again.
 */
import { earlierLsn, type Lsn } from '../../wire/lsn.ts'

/** One per history of a source or a gateway. */
export class CatchUp {
  #upToLsn: Lsn | null = null
  #isPending = true

  /** True until it has caught up; also before anything has begun. */
  get isPending(): boolean {
    return this.#isPending
  }

  /** The first stream, or the first behind a gap: its slot may stand at what was delivered long ago. */
  begin(serverLsn: Lsn): void {
    this.#upToLsn = serverLsn
    this.#isPending = true
  }

  /** The history goes on with another server, which may lack what the first one had: it would be waited for until as much is written. */
  follow(serverLsn: Lsn): void {
    if (this.#upToLsn !== null) this.#upToLsn = earlierLsn(this.#upToLsn, serverLsn)
  }

  /** Everything before `lsn` has come. */
  reaches(lsn: Lsn): void {
    if (this.#upToLsn === null || lsn < this.#upToLsn) return
    this.#upToLsn = null
    this.#isPending = false
  }
}
