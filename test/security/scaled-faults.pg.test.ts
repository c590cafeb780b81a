/**
 * A tap and a gateway as processes, in which one function after the other throws: both stay up, and every subscriber of the
 * gateway gets every change once. By default those that timers call, and a few of the others that Node.js or the guard calls,
 * or that hand changes on; with ROWCAST_FAULTS=all each of them.
 */
import { describe, expect, test } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { chosenFaults } from '../support/faults/chosen-faults.ts'
import { type FaultyProcess, openFaultyProcess } from '../support/faults/faulty-process.ts'
import { sourceFile } from '../support/faults/source-file.mjs'
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
/** What a timer calls has nobody above it: these are thrown in always. */
const OF_TIMERS = new RegExp(
  `^(?:${sourceFile('broker/tap-relay.ts')}#tick|${sourceFile('broker/redis/redis-connection.ts')}#\\w+|${sourceFile('source/slot/slot-watch.ts')}#\\w+):`,
)
/** For each role, of the others, where not all are asked for. */
const FEW = 3
/** A timer comes round once a second: longer than a round of work takes. */
const TIMERS_MS = 2_500
/** Rounds of work within which a function is called again, unless it was called by chance. */
const ROUNDS_MAX = 12

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
  const untilMs = performance.now() + TIMERS_MS
  for (let round = 0; round < 3 || performance.now() < untilMs; round += 1) await work(world)
  const called = new Map(
    [...(await server.called())].filter(([fault, isEntry]) => isEntry || INNER.test(fault)),
  )
  return chosenFaults(called, (faults) => {
    const names = faults.map(([fault]) => fault)
    const others = names.filter((fault) => !OF_TIMERS.test(fault))
    const step = Math.max(1, Math.floor(others.length / FEW))
    return [
      ...names.filter((fault) => OF_TIMERS.test(fault)),
      ...others.filter((_, index) => index % step === 0),
    ]
  })
}

async function expectHarmless(world: World, server: FaultyProcess, fault: string): Promise<void> {
  const { steady, written, processes } = world
  const before = server.lines.length
  const thrownBefore = server.thrown.length
  await server.arm(fault)
  // Until it has thrown: else what a timer calls throws while another one is looked at, or never.
  for (let round = 0; round < ROUNDS_MAX && server.thrown.length === thrownBefore; round += 1)
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
        // At once: a run of all of them is long, and whoever cuts it has the names.
        process.stdout.write(`${role}, fell: ${failed}\n`)
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
