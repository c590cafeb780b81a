/** Beside the bus, broker. The engines that there are: by which address each is found, and what makes it. */
import { RowcastError } from '../errors.ts'
import type { BrokerEngine } from './entry-log.ts'
import { createRedisEngine } from './redis/redis-log.ts'

/** Where a broker is. */
export interface BrokerAddress {
  readonly url: string
  /** How long it may take to let us in, and for each answer. */
  readonly answerTimeoutMs: number
}

interface EngineRow {
  /** With the colon. */
  readonly protocols: readonly string[]
  create(address: BrokerAddress): BrokerEngine
}

/** By name. */
export const ENGINES = {
  redis: { protocols: ['redis:', 'rediss:'], create: createRedisEngine },
} satisfies Readonly<Record<string, EngineRow>>

export type EngineName = keyof typeof ENGINES

/** Whether an engine is found by the address. */
export function isBrokerAddress(value: unknown): boolean {
  return typeof value === 'string' && findEngine(value) !== null
}

/** The engine at an address; nothing connects yet. */
export function createEngine(address: BrokerAddress): BrokerEngine {
  const row = findEngine(address.url)
  if (row === null) throw new RowcastError('BUG', 'There is no engine for the address of the broker.')
  return row.create(address)
}

function findEngine(url: string): EngineRow | null {
  if (!URL.canParse(url)) return null
  const { protocol } = new URL(url)
  const rows: readonly EngineRow[] = Object.values(ENGINES)
  return rows.find(({ protocols }) => protocols.includes(protocol)) ?? null
}
