/**
 * Stage 1, wire. Decides when to report and when a silent link is dead. Pure; the connection only obeys.
 */

/** How a connection keeps itself and its server convinced that both are alive. */
export interface LivenessTimings {
  /** Send a status update at least this often. */
  readonly statusIntervalMs: number
  /**
   * After this much silence ask the server for a sign of life: a server that hears from us regularly and has
   * nothing to send says nothing by itself.
   */
  readonly askAfterMs: number
  /** Give the link up after this much silence from the server; null: never, the server sends no keepalives. */
  readonly deadAfterMs: number | null
}

/**
 * A report also makes the server look for new WAL. From version 16 on a walsender that is interrupted between
 * its last look and its sleep misses the wake-up of a commit in between and sleeps for up to 10 s; seen on a
 * busy machine. A report a second (39 bytes) bounds that delay. Source: WalSndWaitForWal in walsender.c.
 */
const STATUS_INTERVAL_MAX_MS = 1_000
/** Below this a report would only burn CPU. */
const STATUS_INTERVAL_MIN_MS = 100

/**
 * Derives the timings from the server's `wal_sender_timeout`.
 * The server ends a walsender that heard nothing for the whole timeout, so we report at least three times in it.
 * After half a timeout of silence we ask; two timeouts without an answer mean that nobody is there.
 * `0` switches the server's check off, usually because decoding may keep it silent for long: silence then means
 * nothing.
 */
export function computeLivenessTimings(walSenderTimeoutMs: number): LivenessTimings {
  if (walSenderTimeoutMs <= 0) {
    return {
      statusIntervalMs: STATUS_INTERVAL_MAX_MS,
      askAfterMs: Number.POSITIVE_INFINITY,
      deadAfterMs: null,
    }
  }
  const third = Math.floor(walSenderTimeoutMs / 3)
  return {
    statusIntervalMs: Math.max(STATUS_INTERVAL_MIN_MS, Math.min(STATUS_INTERVAL_MAX_MS, third)),
    askAfterMs: Math.floor(walSenderTimeoutMs / 2),
    deadAfterMs: 2 * walSenderTimeoutMs,
  }
}

/** True when the server has been silent for too long. `silentMs` comes from a monotonic clock. */
export function isLinkDead(timings: LivenessTimings, silentMs: number): boolean {
  return timings.deadAfterMs !== null && silentMs > timings.deadAfterMs
}

/** Parses a time setting as SHOW prints it: `1min`, `60s`, `500ms`, `0`. */
export function parseIntervalSetting(text: string): number {
  const match = /^(\d+)\s*(ms|s|min|h|d)?$/.exec(text.trim())
  if (match === null) return 0
  const unitMs = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? 'ms'] ?? 1
  return Number(match[1]) * unitMs
}
