/**
 * Stage 5, source. The life of the replication worker as a complete table, and how long it waits between
 * attempts. Pure.
 */
import type { Retry, RowcastError } from '../../errors.ts'

/**
 * `idle`: never started. `connecting`: opening the connection, setting up, asking for the stream.
 * `standby`: connected, and another process reads the slot; takes over when that ends.
 * `streaming`: changes flow. `waiting`: between two attempts. `stopped`: for good.
 */
export type SourceState = 'idle' | 'connecting' | 'standby' | 'streaming' | 'waiting' | 'stopped'

/** What can happen to the worker. */
export type SourceEvent = 'start' | 'slotInUse' | 'streamStarted' | 'failed' | 'retryDue' | 'stop'

/** State × event → next state; an event that means nothing in a state leaves it as it is. */
export const SOURCE_TRANSITIONS: Readonly<Record<SourceState, Readonly<Record<SourceEvent, SourceState>>>> = {
  idle: {
    start: 'connecting',
    slotInUse: 'idle',
    streamStarted: 'idle',
    failed: 'idle',
    retryDue: 'idle',
    stop: 'stopped',
  },
  connecting: {
    start: 'connecting',
    slotInUse: 'standby',
    streamStarted: 'streaming',
    failed: 'waiting',
    retryDue: 'connecting',
    stop: 'stopped',
  },
  standby: {
    start: 'standby',
    slotInUse: 'standby',
    streamStarted: 'streaming',
    failed: 'waiting',
    retryDue: 'standby',
    stop: 'stopped',
  },
  streaming: {
    start: 'streaming',
    slotInUse: 'streaming',
    streamStarted: 'streaming',
    failed: 'waiting',
    retryDue: 'streaming',
    stop: 'stopped',
  },
  waiting: {
    start: 'waiting',
    slotInUse: 'waiting',
    streamStarted: 'waiting',
    failed: 'waiting',
    retryDue: 'connecting',
    stop: 'stopped',
  },
  stopped: {
    start: 'stopped',
    slotInUse: 'stopped',
    streamStarted: 'stopped',
    failed: 'stopped',
    retryDue: 'stopped',
    stop: 'stopped',
  },
}

/** Bounds of the waits between attempts. */
export interface BackoffOptions {
  /** @default 100 // the server usually is back at once after a killed walsender */
  readonly firstDelayMs?: number | undefined
  /** @default 10_000 // 10 s */
  readonly delayMaxMs?: number | undefined
}

/**
 * How long to wait before attempt `failures + 1`, in milliseconds: doubling, capped, the upper half of it
 * random so that many workers do not return in step. What a person has to repair waits for the cap at once.
 */
export function backoffDelayMs(
  failures: number,
  retry: Retry,
  random: number,
  options: BackoffOptions = {},
): number {
  const first = options.firstDelayMs ?? 100
  const cap = options.delayMaxMs ?? 10_000
  const full = retry === 'never' ? cap : Math.min(cap, first * 2 ** Math.min(failures - 1, 30))
  return Math.round(full / 2 + (full / 2) * random)
}

/** Another process reads the slot, or the broker is away: either may be over at any moment. */
const PASSING_DELAY_MAX_MS = 1_000

/** How long to wait after an attempt that failed so. `isRepairing`: the next one may well succeed, whatever the error says. */
export function retryDelayMs(
  { code, retry }: Pick<RowcastError, 'code' | 'retry'>,
  failures: number,
  isRepairing: boolean,
  random: number,
): number {
  const isPassing = code === 'SOURCE_SLOT_IN_USE' || code.startsWith('BROKER_')
  const delayMaxMs = isPassing ? PASSING_DELAY_MAX_MS : undefined
  return backoffDelayMs(failures, isRepairing ? 'backoff' : retry, random, { delayMaxMs })
}
