/**
 * The whole server as a process, in which one function after the other throws: it stays up, says what happened with an id,
 * and every other subscriber gets every change once. By default those that Node.js or the guard calls, where nobody else
 * could catch, and some of those that hand changes on; with ROWCAST_FAULTS=all every function that is called at all.
 */
import { expect, test } from 'vitest'
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
import { createWsClient } from '../support/ws-client.ts'

const NET = { timeout: 10_000, interval: 10 }
/** A fault of these concerns one client, and no other subscriber notices; one of the others may end the stream of changes. */
const OF_ONE_CLIENT = /^(?:server|observe|graphql)\//
/** Of what such a function calls: where changes are handed on, half of it may have been done. */
const INNER =
  /#(?:publish|append|delivers|offer|offerTo|flush|onCommit|takeRow|addFrames|resultOf|push|enqueue|onPublishing|afterPart):/
const TEAMS = 'subscription { teamChanged { action changed old { name } new { name } } }'

interface World {
  readonly database: TestDatabase
  readonly server: FaultyProcess
  readonly steady: readonly SteadySubscriber[]
  /** Names of tags, in the order of their commits. */
  readonly written: string[]
}

const answers = async (url: string) => (await fetch(url).catch(() => null))?.status ?? 0

/** What a client may do, with everything that can go wrong; and what is written meanwhile. */
async function work({ database, server, written }: World): Promise<void> {
  const name = `tag ${server.url.slice(-5)} ${written.length}`
  const client = createWsClient(server.url)
  const teams = client.subscribe(TEAMS)
  const isSubscribed = await client
    .connected()
    .then(() => client.subscribe('{ changeCursor }').next(500))
    .then(
      () => true,
      () => false,
    )
  await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  written.push(name)
  await database.query('INSERT INTO "Team" (name, slug) VALUES ($1, $1)', [name])
  await database.query(`UPDATE "Team" SET name = 'other' WHERE slug = $1`, [name])
  await database.query('DELETE FROM "Team" WHERE slug = $1', [name])
  if (isSubscribed) await Promise.all([1, 2, 3].map(() => teams.next(500))).catch(() => undefined)
  await client.close().catch(() => undefined)
  for (const path of ['/health/ready', '/metrics']) await answers(`${server.url}${path}`)
}

async function openWorld(database: TestDatabase): Promise<World & AsyncDisposable> {
  const server = await openFaultyProcess({ DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database) })
  // The start of a program is no fault's work, and takes its time on a busy machine.
  await expect.poll(() => answers(`${server.url}/health/ready`), { ...NET, timeout: 60_000 }).toBe(200)
  const client = createWsClient(server.url)
  const { changeCursor } = await client.subscribe<{ changeCursor: string }>('{ changeCursor }').nextData()
  await client.close()
  const steady = [
    openSteady('a', overWebSocket(server.url, 'a'), changeCursor),
    openSteady('b', overWebSocket(server.url, 'b'), changeCursor),
    openSteady('c', overEventStream(server.url, 'c'), changeCursor),
  ]
  return {
    ...{ database, server, steady, written: [] },
    async [Symbol.asyncDispose]() {
      for (const each of steady) await each[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** Throws it, and looks at what came of it. */
async function expectHarmless(world: World, fault: string): Promise<void> {
  const { server, steady, written } = world
  const before = steady.map(({ interruptions }) => interruptions.length)
  const linesBefore = server.lines.length
  const thrownBefore = server.thrown.length
  await server.arm(fault)
  await work(world)
  await work(world)
  const saw = () => (server.end === null ? steady.map(({ names }) => names.length) : `ended: ${server.end}`)
  await expect.poll(saw, { ...NET, message: fault }).toEqual(steady.map(() => written.length))
  await expect.poll(() => answers(`${server.url}/health/ready`), { ...NET, message: fault }).toBe(200)
  for (const { names, nonsense } of steady) expect([names, nonsense], fault).toEqual([written, []])
  const lines = server.lines.slice(linesBefore)
  expect(lines.join('\n'), fault).not.toContain('hunter2')
  const interrupted = steady.filter(({ interruptions }, index) => interruptions.length > (before[index] ?? 0))
  // Nobody has noticed: it did not throw, or what threw was done again, or concerned the client that is gone.
  if (server.thrown.length === thrownBefore || interrupted.length === 0) return
  expect(
    lines.filter((line) => /"errorId":"[0-9a-f-]{36}"/.test(line)).length,
    `${fault}: an id`,
  ).toBeGreaterThan(0)
  if (OF_ONE_CLIENT.test(fault)) expect(interrupted.length, `${fault}: interrupted`).toBeLessThanOrEqual(1)
}

test('whatever throws, the process stays up, says so, and costs no other subscriber a change', {
  timeout: 1_800_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  let world = await openWorld(database)
  try {
    const faults = await listFaults(world)
    if (process.env['ROWCAST_FAULTS'] === undefined) expect(faults.length).toBeGreaterThan(40)
    const failures: string[] = []
    for (const fault of faults) {
      await expectHarmless(world, fault).catch((error: unknown) => {
        failures.push(`${fault}: ${String(error)}`)
        // At once: a run of all of them is long, and whoever cuts it has the names.
        process.stdout.write(`fell: ${failures.at(-1)}\n`)
      })
      if (world.server.end === null && failures.at(-1)?.startsWith(fault) !== true) continue
      // The next one begins with a server and subscribers that nothing has happened to.
      await world[Symbol.asyncDispose]()
      world = await openWorld(database)
    }
    process.stdout.write(`${faults.length} functions thrown in, ${failures.length} fell.\n`)
    expect(failures).toEqual([])
  } finally {
    await world[Symbol.asyncDispose]()
  }
})

async function listFaults(world: World): Promise<readonly string[]> {
  await work(world)
  world.server.record()
  for (let round = 0; round < 3; round += 1) await work(world)
  return chosenFaults(await world.server.called(), (faults) =>
    faults.filter(([fault, isEntry]) => isEntry || INNER.test(fault)).map(([fault]) => fault),
  )
}
