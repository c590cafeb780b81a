/**
 * Beside the spine, service. Prisma Client loads and compiles itself with its first query: some 200 ms in one turn of the event loop, in
 * which every stream of the process stands still. So each client is asked once of each kind before the service says that it is ready, while
 * the replication stream is being connected.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { delegateName } from './catalog/prisma-omit.ts'
import type { ServicePrismaClient } from './config/config.ts'
import { hasMembers, memberOf } from './member-of.ts'
import type { HealthReport } from './server/health.ts'
import { withinTime } from './within-time.ts'

/** A service is ready after so long whatever its clients do: one that does not answer keeps no stream from being read. */
const WARM_UP_MAX_MS = 5_000

/** No row is looked at for it. */
const NO_ROW = { where: { OR: [] }, take: 1 }

/** A client, and the models that it may be asked for. */
export interface ColdClient {
  readonly prisma: ServicePrismaClient
  /** As the client has them. */
  readonly models: readonly string[]
}

/** Once, while the service starts. */
export class WarmUp {
  readonly #maxMs: number
  #isOver = false
  #isStopped = false

  constructor(maxMs: number = WARM_UP_MAX_MS) {
    this.#maxMs = maxMs
  }

  /** The report of a service that is not ready before. */
  applyTo({ isReady, details }: HealthReport): HealthReport {
    return { isReady: isReady && this.#isOver, details: { ...details, isWarm: this.#isOver } }
  }

  /** Never rejects: what a client cannot answer now is an error of the query that asks for it. */
  async run(clients: readonly ColdClient[]): Promise<void> {
    // Settled, whatever comes of it: late is over, too.
    await Promise.allSettled(
      clients.map((client) => withinTime(this.#askOnce(client), this.#maxMs, () => null)),
    )
    this.#isOver = true
  }

  /** Asks nothing more: a client that has been disconnected would connect again for it. */
  stop(): void {
    this.#isStopped = true
  }

  async #askOnce(client: ColdClient): Promise<void> {
    for (const ask of questionsTo(client)) {
      // The replication stream is asked for first: PostgreSQL answers meanwhile.
      await nextTurn()
      if (this.#isStopped) return
      try {
        await ask()
      } catch {
        // The next one compiles what it is made of all the same: the database may come later, or one right be missing.
      }
    }
  }
}

/** What comes first loads the client; each of the others compiles a kind of statement, in a turn of its own. */
function questionsTo({ prisma, models }: ColdClient): readonly (() => Promise<unknown>)[] {
  const delegate = () => models.map((model) => memberOf(prisma, delegateName(model))).find(hasMembers)
  return [
    () => prisma.$connect(),
    () => call(prisma, '$queryRawUnsafe', 'SELECT 1'),
    () => call(delegate(), 'findMany', NO_ROW),
    () => call(delegate(), 'count', { where: NO_ROW.where }),
  ]
}

async function call(target: unknown, method: string, argument: unknown): Promise<void> {
  const found = memberOf(target, method)
  if (typeof found === 'function') await Reflect.apply(found, target, [argument])
}
