/** A service is ready once its Prisma Client has loaded itself: what that takes is no client's wait. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { PrismaClient } from '../prisma/generated/client/client.ts'
import { catalog } from '../prisma/generated/rowcast.ts'
import { WarmUp } from '../src/warm-up.ts'
import { openDatabase } from './support/database.ts'
import { createDeferred } from './support/deferred.ts'
import { openService } from './support/live-service.ts'

const readiness = async (url: string) => {
  const response = await fetch(`${url}/health/ready`)
  return { http: response.status, ...((await response.json()) as object) }
}

/** The client, of which what is asked for is noted, and which has connected when it is let. */
function notedClient(connectionString: string, asked: string[], letConnect: Promise<void>) {
  const client = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
  const noted = client.$extends({
    client: {
      async $connect() {
        await client.$connect()
        asked.push('$connect')
        await letConnect
      },
    },
    query: {
      $allOperations({ operation, model, args, query }) {
        asked.push(model === undefined ? operation : `${model}.${operation}`)
        return query(args)
      },
    },
  })
  return noted as unknown as PrismaClient
}

it('is not ready before its Prisma Client has answered each kind of query once', async () => {
  await using database = await openDatabase({ migrate: true })
  const asked: string[] = []
  const connecting = createDeferred<void>()
  await using running = await openService(database, {
    config: { createPrisma: (url) => notedClient(url, asked, connecting.promise) },
  })
  // However long it takes until changes flow here, this is at once.
  expect(await readiness(running.url)).toMatchObject({ http: 503, isWarm: false })
  connecting.resolve()
  await expect.poll(() => readiness(running.url)).toMatchObject({ http: 200, isWarm: true })
  const [first] = Object.keys(catalog.models)
  expect(asked).toEqual(['$connect', '$queryRawUnsafe', `${first}.findMany`, `${first}.count`])
})

it('asks nothing more of a client once the service stops: it would connect again', async () => {
  await using database = await openDatabase({ migrate: true })
  const asked: string[] = []
  const connecting = createDeferred<void>()
  const running = await openService(database, {
    config: { createPrisma: (url) => notedClient(url, asked, connecting.promise) },
  })
  await expect.poll(() => asked).toEqual(['$connect'])
  await running.service.stop()
  connecting.resolve()
  // All that could come behind it has had its turns.
  for (let turn = 0; turn < 20; turn += 1) await nextTurn()
  expect(asked).toEqual(['$connect'])
})

it('asks each kind where the database is down: what it takes to compile them is no client’s wait either', async () => {
  await using database = await openDatabase({ migrate: true })
  const asked: string[] = []
  await using running = await openService(database, {
    databaseUrl: 'postgresql://nobody@127.0.0.1:1/none',
    config: { createPrisma: (url) => notedClient(url, asked, Promise.resolve()) },
  })
  await expect.poll(() => readiness(running.url)).toMatchObject({ http: 503, isWarm: true })
  const [first] = Object.keys(catalog.models)
  expect(asked).toEqual(['$connect', '$queryRawUnsafe', `${first}.findMany`, `${first}.count`])
})

it.each([
  ['never connects', { $connect: () => new Promise<void>(() => undefined), async $disconnect() {} }],
  ['cannot connect', { $connect: () => Promise.reject(new Error('no')), async $disconnect() {} }],
  [
    'throws',
    {
      $connect() {
        throw new Error('no')
      },
      async $disconnect() {},
    },
  ],
  ['has no models', { async $connect() {}, async $disconnect() {} }],
])('is over with a client that %s', async (_what, prisma) => {
  const warmUp = new WarmUp(20)
  expect(warmUp.applyTo({ isReady: true })).toEqual({ isReady: false, details: { isWarm: false } })
  await warmUp.run([{ prisma, models: ['User'] }])
  expect(warmUp.applyTo({ isReady: true })).toEqual({ isReady: true, details: { isWarm: true } })
  expect(warmUp.applyTo({ isReady: false })).toMatchObject({ isReady: false })
})
