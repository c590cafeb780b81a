/**
 * Stage 1, wire. PostgreSQL's clock: microseconds since 2000-01-01 00:00:00 UTC, in every message that carries a time.
 * The only place that knows the epoch. Source: PostgreSQL manual, "Streaming Replication Protocol".
 */

/** 2000-01-01T00:00:00Z in milliseconds since 1970. */
export const PG_EPOCH_MS = 946_684_800_000

/** Microseconds since 2000 → Date; the part below a millisecond is dropped, as a Date has no place for it. */
export function pgMicrosToDate(micros: bigint): Date {
  const number = Number(micros)
  // Twice as fast as dividing a bigint, and exact for the next centuries.
  const ms = Number.isSafeInteger(number) ? Math.trunc(number / 1000) : Number(micros / 1000n)
  return new Date(PG_EPOCH_MS + ms)
}

/** Milliseconds since 1970 → microseconds since 2000. */
export function unixMsToPgMicros(unixMs: number): bigint {
  return BigInt(Math.trunc(unixMs) - PG_EPOCH_MS) * 1000n
}
