/**
 * Stage 5, source. Whether a transaction that has arrived is visible to a query made now. PostgreSQL sends a
 * transaction once its commit is on disk; to other sessions it appears a moment later, and with synchronous
 * replication only when the standby has answered.
 * Source: PostgreSQL manual, "System Information Functions", pg_current_snapshot.
 */

/** What a session sees, by 32-bit transaction id. */
export type IsVisible = (xid: number) => boolean

const SNAPSHOT_TEXT = /^(\d+):(\d+):([\d,]*)$/
const XID_SPACE = 2n ** 32n

/**
 * Parses `xmin:xmax:xip,xip,…`. Ids there have 64 bits, those of the stream 32: the missing half is that of
 * the nearest id below or just above xmax. Text that is no snapshot makes everything invisible.
 */
export function parseSnapshot(text: string): IsVisible {
  const match = SNAPSHOT_TEXT.exec(text)
  if (match === null) return () => false
  const xmax = BigInt(match[2] ?? '0')
  const running = new Set((match[3] ?? '').split(',').filter(Boolean).map(BigInt))
  return (xid) => {
    const full = widenXid(BigInt(xid), xmax)
    return full < xmax && !running.has(full)
  }
}

/** The 64-bit id within 2^31 of `near` that ends in these 32 bits. */
function widenXid(xid: bigint, near: bigint): bigint {
  const candidate = (near / XID_SPACE) * XID_SPACE + xid
  if (candidate > near + XID_SPACE / 2n) return candidate - XID_SPACE
  return candidate + XID_SPACE / 2n <= near ? candidate + XID_SPACE : candidate
}

/** What the gate needs. */
export interface VisibilityOptions {
  /** `SELECT pg_current_snapshot()::text` on a session like those that will query. */
  readonly readSnapshot: () => Promise<string>
  /** Longest wait. @default 2_000 // 2 s */
  readonly waitMaxMs?: number | undefined
  readonly monotonicMs?: (() => number) | undefined
}

/** Time between two looks while a transaction is not visible. */
const LOOK_INTERVAL_MS = 10

/** Waits for transactions to become visible; one look serves everybody who asks meanwhile. */
export class VisibilityGate {
  readonly #options: VisibilityOptions
  #seen: IsVisible = () => false
  #looking: Promise<IsVisible> | null = null

  constructor(options: VisibilityOptions) {
    this.#options = options
  }

  /** What a session sees now; begun after the call. */
  async look(): Promise<IsVisible> {
    const isVisible = parseSnapshot(await this.#options.readSnapshot())
    this.#seen = isVisible
    return isVisible
  }

  /** Resolves when the transaction is visible, or after the longest wait; rejects when the database cannot be asked. */
  async whenVisible(xid: number): Promise<void> {
    const now = this.#options.monotonicMs ?? (() => performance.now())
    const deadline = now() + (this.#options.waitMaxMs ?? 2_000)
    while (!this.#seen(xid)) {
      this.#looking ??= this.look().finally(() => {
        this.#looking = null
      })
      const isVisible = await this.#looking
      if (isVisible(xid) || now() >= deadline) return
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
    }
  }
}
