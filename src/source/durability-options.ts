/** Stage 5, source. How long changes are kept, and what the slot may cost: options of the library and the service. */

import { RowcastError } from '../errors.ts'
import {
  checkOptions,
  is,
  isAmount,
  isFlag,
  isObject,
  isOneOf,
  isPositive,
  maybe,
  type OptionRows,
  option,
  throwFault,
} from '../option.ts'
import type { ReplicationSourceOptions } from './session/source-options.ts'
import { DEFAULT_RETENTION } from './slot/retention-window.ts'
import type { SlotLostPolicy } from './slot/slot-remedy.ts'

/** The part of the options that says what survives, and at what price. */
export interface DurabilityOptions {
  /**
   * How much delivered WAL the slot keeps, whichever is less: after a restart of this process it is sent again,
   * so that clients can go on where they were. 0 in either keeps nothing.
   * @default { bytes: 67_108_864, minutes: 10 } // 64 MiB
   */
  readonly retain?: { readonly bytes?: number | undefined; readonly minutes?: number | undefined } | undefined
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
  /**
   * How long another process may read the slot before subscriptions here, which get nothing meanwhile, end with SERVER_STANDING_BY, and
   * new ones are refused with it; over when this process takes over. `Infinity`: they wait for that, for workers without clients. Not
   * where a broker brings the changes. In milliseconds. @default 10_000 // 10 s
   */
  readonly standbyPatienceMs?: number | undefined
}

/** How the stream is asked for. */
export interface WireOptions {
  /** Ask PostgreSQL for values in binary form, which is cheaper to read. @default true */
  readonly binary?: boolean | undefined
  /**
   * Address of a hot standby (PostgreSQL 16+) that has the slot and sends the changes; the address of the database is that of its
   * primary, where everything else is made, written and asked. @default the primary sends them
   */
  readonly replicationUrl?: string | undefined
}

/** The rows of these options. @internal: their types are valibot's, which nobody installs */
export const DURABILITY = {
  retain: option({
    check: maybe(
      isObject({ bytes: maybe(isAmount), minutes: maybe(isAmount) }, 'is not { bytes, minutes } of numbers'),
    ),
    byDefault: '64 MiB, 10 min',
    meaning:
      'delivered WAL that the slot keeps, for cursors (0: from the last barrier on, 256 KiB and a look); the disk holds more: `restartBytes` in [failure-modes](failure-modes.md), 22',
  }),
  onSlotLost: option({
    check: maybe(isOneOf(['recreate', 'stop'])),
    byDefault: "`'recreate'`",
    meaning: "or `'stop'`: wait for a person",
  }),
  slotBudget: option({
    check: maybe(isObject({ bytes: isPositive }, 'is not { bytes } of a number above 0')),
    byDefault: 'none',
    meaning: 'WAL that the slot may hold before it is dropped',
  }),
  failover: option({
    check: maybe(isFlag),
    byDefault: '`false`',
    meaning: 'synchronise the slot to standbys (PostgreSQL 17)',
  }),
  watchIntervalMs: option({
    check: maybe(isPositive),
    byDefault: '10 s',
    meaning: 'how often slot and tables are looked at',
  }),
  answerTimeoutMs: option({
    check: maybe(isPositive),
    byDefault: '10 s',
    meaning:
      'how long PostgreSQL, and Redis, may take for each answer: a connection, a query, the start of the stream',
  }),
  stalledAfterMs: option({
    check: maybe(isPositive),
    byDefault: '60 s',
    meaning: 'not ready when WAL has waited so long and no change came',
  }),
  standbyPatienceMs: option({
    check: maybe(isPositive),
    byDefault: '10 s',
    meaning:
      'how long another process may read the slot before subscriptions here end with `SERVER_STANDING_BY` (`Infinity`: they wait): [failure-modes](failure-modes.md), 17',
  }),
} satisfies OptionRows<DurabilityOptions>

/** The rows of these options. @internal: as above */
export const WIRE = {
  binary: option({
    check: maybe(isFlag),
    byDefault: '`true`',
    meaning: 'asks PostgreSQL for values in binary form; no value differs',
  }),
  replicationUrl: option({
    check: maybe(is<string>((value) => typeof value === 'string' && value !== '', 'is not an address')),
    byDefault: 'the primary',
    meaning:
      'address of a standby that sends the changes (PostgreSQL 16): [Reading from a standby](postgres-scenarios.md#reading-from-a-standby)',
  }),
} satisfies OptionRows<WireOptions>

/** The same, complete. */
export type Durability = Pick<
  ReplicationSourceOptions,
  | 'retention'
  | 'slotLostPolicy'
  | 'slotBudget'
  | 'isFailover'
  | 'watchIntervalMs'
  | 'stalledAfterMs'
  | 'standbyPatienceMs'
>

/** Fills in the defaults. @throws CONFIG_BAD_FIELD */
export function resolveDurability(options: DurabilityOptions & WireOptions): Durability {
  const given = checkOptions(DURABILITY, (name) => Reflect.get(options, name), throwFault)
  if (given.failover === true && options.replicationUrl !== undefined)
    throw new RowcastError('CONFIG_BAD_FIELD', '`failover` stands beside `replicationUrl`.', {
      hint: 'Leave `failover` out: PostgreSQL copies no slot that is on a standby.',
    })
  return {
    retention: {
      bytes: given.retain?.bytes ?? DEFAULT_RETENTION.bytes,
      minutes: given.retain?.minutes ?? DEFAULT_RETENTION.minutes,
    },
    slotLostPolicy: given.onSlotLost ?? 'recreate',
    slotBudget: given.slotBudget ?? null,
    isFailover: given.failover ?? false,
    watchIntervalMs: given.watchIntervalMs ?? 10_000,
    stalledAfterMs: given.stalledAfterMs ?? 60_000,
    standbyPatienceMs: given.standbyPatienceMs ?? 10_000,
  }
}
