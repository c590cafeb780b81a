/** A Prisma Client whose statements are counted, as the application's own log of queries has them. */
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { createDeferred, type Deferred } from './deferred.ts'

/** What has been asked of PostgreSQL. */
export interface StatementCounter {
  readonly createPrisma: (connectionString: string) => PrismaClient
  /** Statements that read rows of the table, by its name there. */
  readsOf(table: string): number
  /** All of them. */
  readonly total: number
  /** Transactions do not begin from now on, until the returned function is called. */
  holdTransactions(): () => void
}

/** Counts those of the clients that it creates. */
export function countStatements(): StatementCounter {
  const statements: string[] = []
  let gate: Deferred<void> | null = null
  return {
    createPrisma(connectionString) {
      const adapter = new PrismaPg({ connectionString })
      const prisma = new PrismaClient({ adapter, log: [{ emit: 'event', level: 'query' }] })
      prisma.$on('query', ({ query }) => void statements.push(query))
      const transact = async (...args: Parameters<PrismaClient['$transaction']>) => {
        await gate?.promise
        return prisma.$transaction(...args)
      }
      return new Proxy(prisma, {
        get(target, name) {
          if (name === '$transaction') return transact
          const value: unknown = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
    readsOf: (table) => statements.filter((text) => text.includes(`FROM "public"."${table}"`)).length,
    get total() {
      return statements.length
    },
    holdTransactions() {
      const held = createDeferred<void>()
      gate = held
      return () => {
        gate = null
        held.resolve()
      }
    },
  }
}
