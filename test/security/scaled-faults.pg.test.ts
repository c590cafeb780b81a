/**
 * A tap and a gateway as processes, in which one function after the other throws: both stay up, and every subscriber of the
 * gateway gets every change once. By default a few of those that Node.js or the guard calls, or that hand changes on; with
 * ROWCAST_FAULTS=all each of them.
 */
import { describe, expect, test } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { chosenFaults } from '../support/faults/chosen-faults.ts'
import { type FaultyProcess, openFaultyProcess } from '../support/faults/faulty-process.ts'
import {
  openSteady,
  overEventStream,
  overWebSocket,
  type SteadySubscriber,
} from '../support/faults/steady-subscriber.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { createWsClient } from '../support/ws-client.ts'

const NET = { timeout: 30_000, interval: 20 }
/** What hands changes on in these two roles. */
const INNER =
  /^broker\/.*#(?:publish|feed|take|tick|begin|open|onEntry|onAccepted|addEntry|read|tellTables|handOver):|#(?:publish|onCommit):/
/** For each role, where not all are asked for. */
const FEW = 3

interface World extends AsyncDisposable {
  readonly database: TestDatabase
  readonly processes: readonly FaultyProcess[]
  readonly steady: readonly SteadySubscriber[]
  readonly written: string[]
}

const answers = async (url: string) => (await fetch(url).catch(() => null))?.status ?? 0

async function openWorld(database: TestDatabase, redisUrl: string): Promise<World> {
  const env = { DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database), REDIS_URL: redisUrl }
  const tap = await openFaultyProcess({ ...env, ROWCAST_ROLE: 'tap' })
  const gateway = await openFaultyProcess({ ...env, ROWCAST_ROLE: 'gateway' })
  for (const { url } of [tap, gateway]) await expect.poll(() => answers(`${url}/health/ready`), NET).toBe(200)
  const client = createWsClient(gateway.url)
  const { changeCursor } = await client.subscribe<{ changeCursor: string }>('{ changeCursor }').nextData()
  await client.close()
  const steady = [
    openSteady('a', overWebSocket(gateway.url, 'a'), changeCursor),
    openSteady('b', overEventStream(gateway.url, 'b'), changeCursor),
  ]
  return {
    ...{ database, processes: [tap, gateway], steady, written: [] },
    async [Symbol.asyncDispose]() {
      for (const each of [...steady, gateway, tap]) await each[Symbol.asyncDispose]()
    },
  }
}

async function work({ database, processes, written }: World): Promise<void> {
  const name = `tag ${processes[0]?.url.slice(-5)} ${written.length}`
  await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  written.push(name)
  for (const { url } of processes)
    for (const path of ['/health/ready', '/health/live', '/metrics']) await answers(`${url}${path}`)
}

async function listFaults(world: World, server: FaultyProcess): Promise<readonly string[]> {
  server.record()
  for (let round = 0; round < 3; round += 1) await work(world)
  const called = new Map(
    [...(await server.called())].filter(([fault, isEntry]) => isEntry || INNER.test(fault)),
  )
  return chosenFaults(called, (faults) => {
    const step = Math.max(1, Math.floor(faults.length / FEW))
    return faults.filter((_, index) => index % step === 0).map(([fault]) => fault)
  })
}

async function expectHarmless(world: World, server: FaultyProcess, fault: string): Promise<void> {
  const { steady, written, processes } = world
  const before = server.lines.length
  await server.arm(fault)
  await work(world)
  await work(world)
  const saw = () => (server.end === null ? steady.map(({ names }) => names.length) : `ended: ${server.end}`)
  await expect.poll(saw, { ...NET, message: fault }).toEqual(steady.map(() => written.length))
  for (const { names, nonsense } of steady) expect([names, nonsense], fault).toEqual([written, []])
  for (const { url } of processes)
    await expect.poll(() => answers(`${url}/health/ready`), { ...NET, message: fault }).toBe(200)
  expect(server.lines.slice(before).join('\n'), fault).not.toContain('hunter2')
}

describe.skipIf(NO_REDIS !== null).each(['tap', 'gateway'] as const)('in a %s', (role) => {
  test('whatever throws, the process stays up and costs no subscriber a change', {
    timeout: 1_800_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    let world = await openWorld(database, redis.url)
    const index = role === 'tap' ? 0 : 1
    try {
      const faults = await listFaults(world, world.processes[index] as FaultyProcess)
      if (process.env['ROWCAST_FAULTS'] === undefined) expect(faults.length).toBeGreaterThan(2)
      const failures: string[] = []
      for (const fault of faults) {
        const failed = await expectHarmless(world, world.processes[index] as FaultyProcess, fault).then(
          () => null,
          (error: unknown) => `${fault}: ${String(error)}`,
        )
        if (failed === null) continue
        failures.push(failed)
        // The next one begins with processes that nothing has happened to.
        await world[Symbol.asyncDispose]()
        world = await openWorld(database, redis.url)
      }
      process.stdout.write(`${role}: ${faults.length} functions thrown in, ${failures.length} fell.\n`)
      expect(failures).toEqual([])
    } finally {
      await world[Symbol.asyncDispose]()
    }
  })
})
