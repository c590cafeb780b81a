/** Stage 5, source. How long changes are kept, and what the slot may cost: options of the library and the service. */
import { RowcastError } from '../errors.ts'
import type { ReplicationSourceOptions } from './session/source-options.ts'
import { DEFAULT_RETENTION, type Retention } from './slot/retention-window.ts'
import type { SlotLostPolicy } from './slot/slot-remedy.ts'

/** The part of the options that says what survives, and at what price. */
export interface DurabilityOptions {
  /**
   * How much delivered WAL the slot keeps, whichever is less: after a restart of this process it is sent again,
   * so that clients can go on where they were. 0 in either keeps nothing.
   * @default { bytes: 67_108_864, minutes: 10 } // 64 MiB
   */
  readonly retain?: Partial<Retention> | undefined
  /**
   * What to do when the slot was dropped or PostgreSQL gave it up. `recreate`: make a fresh one, and end every
   * subscription with RESYNC_REQUIRED. `stop`: change nothing, be not ready, and wait for a person.
   * @default 'recreate'
   */
  readonly onSlotLost?: SlotLostPolicy | undefined
  /**
   * WAL the slot may hold in PostgreSQL: a warning at half of it; at all of it the slot is dropped rather than
   * fill the disk. @default no limit, `status().slotHealth` reports it
   */
  readonly slotBudget?: { readonly bytes: number } | undefined
  /** Keep the slot synchronised to standbys, so that it survives a failover; PostgreSQL 17+. @default false */
  readonly failover?: boolean | undefined
  /** How often slot and publication are looked at while changes flow, in milliseconds. @default 10_000 // 10 s */
  readonly watchIntervalMs?: number | undefined
  /**
   * How long WAL may wait without any of it coming before this process is not ready (SOURCE_STALLED), in milliseconds.
   * @default 60_000 // 1 min
   */
  readonly stalledAfterMs?: number | undefined
  /**
   * How long PostgreSQL, and Redis, may take to answer: to a connection, to each query of ours, to the request for the
   * stream, in milliseconds. Waiting for locks and for a new slot comes on top. @default 10_000 // 10 s
   */
  readonly answerTimeoutMs?: number | undefined
}

/** Their names, as rowcast.config.ts has them. */
export const DURABILITY_FIELDS = [
  'retain',
  'onSlotLost',
  'slotBudget',
  'failover',
  'watchIntervalMs',
  'stalledAfterMs',
  'answerTimeoutMs',
] as const

/** The same, complete. */
export type Durability = Pick<
  ReplicationSourceOptions,
  'retention' | 'slotLostPolicy' | 'slotBudget' | 'isFailover' | 'watchIntervalMs' | 'stalledAfterMs'
>

/** Fills in the defaults. @throws CONFIG_BAD_FIELD */
export function resolveDurability(options: DurabilityOptions): Durability {
  const { retain, onSlotLost = 'recreate', slotBudget, failover = false } = options
  const { watchIntervalMs = 10_000, stalledAfterMs = 60_000, answerTimeoutMs = 1 } = options
  const retention = {
    bytes: retain?.bytes ?? DEFAULT_RETENTION.bytes,
    minutes: retain?.minutes ?? DEFAULT_RETENTION.minutes,
  }
  check(
    isAmount(retention.bytes) && isAmount(retention.minutes),
    '`retain` is not { bytes, minutes } of numbers',
  )
  check(onSlotLost === 'recreate' || onSlotLost === 'stop', "`onSlotLost` is neither 'recreate' nor 'stop'")
  check(slotBudget === undefined || slotBudget.bytes > 0, '`slotBudget` is not { bytes } of a number above 0')
  check(typeof failover === 'boolean', '`failover` is neither true nor false')
  check(watchIntervalMs > 0, '`watchIntervalMs` is not a number above 0')
  check(stalledAfterMs > 0, '`stalledAfterMs` is not a number above 0')
  check(answerTimeoutMs > 0, '`answerTimeoutMs` is not a number above 0')
  return {
    retention,
    slotLostPolicy: onSlotLost,
    slotBudget: slotBudget ?? null,
    isFailover: failover,
    watchIntervalMs,
    stalledAfterMs,
  }
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value)
}

function check(isGood: boolean, fault: string): void {
  if (!isGood) throw new RowcastError('CONFIG_BAD_FIELD', `${fault}.`)
}
