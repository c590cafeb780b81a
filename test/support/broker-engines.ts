/** The engines that a broker can have, each as a server of the test's own: tests that run on all of them are one `describe.each`. */

import { createEngine, type EngineName } from '../../src/broker/engines.ts'
import { type EntryId, formatEntryId } from '../../src/broker/entry-id.ts'
import type { BrokerEngine, EntryLog, LogWrite } from '../../src/broker/entry-log.ts'
import { MemoryEngine } from './memory-broker/memory-engine.ts'
import { NO_REDIS, openRedis } from './redis.ts'

/** A broker, and what others may do to it. */
export interface TestBroker extends AsyncDisposable {
  readonly engine: BrokerEngine
  /** A connection; it ends with the broker. */
  open(name: string): Promise<EntryLog>
  /** Somebody else writes. */
  write(...writes: readonly LogWrite[]): Promise<void>
  /** Exactly what is before the id goes; null: everything. */
  trim(stream: string, before: EntryId | null): Promise<void>
  drop(name: string): Promise<void>
  flush(): Promise<void>
}

/** How one is started. */
interface EngineStart {
  /** Why it cannot be tested here; null: it can. */
  readonly fault: string | null
  start(): Promise<TestBroker>
}

const BEYOND_ALL: EntryId = { lsn: (2n ** 64n - 1n) as EntryId['lsn'], sequence: 0 }

/** All of them: the compiler misses the row of a new one. */
const STARTS: Readonly<Record<EngineName | 'memory', EngineStart>> = {
  redis: { fault: NO_REDIS, start: startRedis },
  memory: { fault: null, start: startMemory },
}

/** Those that can be tested here: a machine without Redis has one left. */
export const TESTED_ENGINES: readonly (EngineStart & { readonly name: string })[] = Object.entries(STARTS)
  .map(([name, start]) => ({ name, ...start }))
  .filter(({ fault }) => fault === null)

async function startRedis(): Promise<TestBroker> {
  const redis = await openRedis()
  const command = async (...args: string[]): Promise<void> => void (await redis.command(...args))
  return brokerOf(createEngine({ url: redis.url, answerTimeoutMs: 10_000 }), {
    trim: (stream, before) => command('XTRIM', stream, 'MINID', '=', formatEntryId(before ?? BEYOND_ALL)),
    drop: (name) => command('DEL', name),
    flush: () => command('FLUSHALL'),
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  })
}

async function startMemory(): Promise<TestBroker> {
  const engine = new MemoryEngine()
  return brokerOf(engine, {
    trim: async (stream, before) =>
      void engine.write([{ kind: 'trim', stream, before: before ?? BEYOND_ALL }]),
    drop: async (name) => engine.drop(name),
    flush: async () => engine.flush(),
    [Symbol.asyncDispose]: async () => engine.cut(),
  })
}

function brokerOf(
  engine: BrokerEngine,
  own: Pick<TestBroker, 'trim' | 'drop' | 'flush' | typeof Symbol.asyncDispose>,
): TestBroker {
  const logs: EntryLog[] = []
  const open = async (name: string) => {
    const log = await engine.open({ name })
    logs.push(log)
    return log
  }
  return {
    ...own,
    ...{ engine, open },
    async write(...writes) {
      const log = await open('somebody-else')
      await log.update(['nothing'], async () => writes)
      log.destroy()
    },
    async [Symbol.asyncDispose]() {
      for (const log of logs) log.destroy()
      await own[Symbol.asyncDispose]()
    },
  }
}
