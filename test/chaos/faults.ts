/** The faults, each a small program that does its harm and leaves the world able to recover. */
import { setTimeout as delay } from 'node:timers/promises'
import { failOver } from './failover.ts'
import type { FaultKind } from './fault-kind.ts'
import { GAP_FAULTS } from './gap-faults.ts'
import { proxyFaults } from './network-faults.ts'
import type { Random } from './random.ts'
import type { ServedRowcast } from './served-rowcast.ts'
import { STEPS, type Step } from './step-trap.ts'
import { SLOT, type World } from './world.ts'

const STEP_TIMEOUT_MS = 20_000
const HELD_TIMEOUT_MS = 4_000
const REPORT_TIMEOUT_MS = 12_000
const HEALTH_TIMEOUT_MS = 60_000

/** A report of a position is all that PostgreSQL hears of a connection. */
export const HELD = 'let reports through to PostgreSQL and nothing from it, then cut'

/** All faults but the ones that a run injects by itself. */
export const FAULTS: readonly FaultKind<World>[] = [
  ...GAP_FAULTS,
  {
    name: 'kill -9 rowcast at a random moment',
    forgets: true,
    inject: (world) => killServing(world),
  },
  ...STEPS.map(
    (step): FaultKind<World> => ({
      name: `kill -9 rowcast ${step}`,
      forgets: true,
      inject: (world, random) => killAtStep(world, random, step),
    }),
  ),
  {
    name: 'kill -9 rowcast while it starts',
    forgets: true,
    async inject(world, random) {
      await world.serving.kill()
      const starting = world.serving.start()
      await delay(random.integer(200, 1_500))
      await world.serving.kill()
      await starting
      await world.serving.start()
      return true
    },
  },
  {
    name: 'kill -9 PostgreSQL',
    async inject(world, random) {
      await world.site.cluster.kill()
      await delay(random.integer(0, 500))
      await world.site.cluster.start()
      return true
    },
  },
  {
    name: 'restart PostgreSQL',
    async inject(world, random) {
      await world.site.cluster.restart(random.pick(['fast', 'immediate'] as const))
      return true
    },
  },
  { name: 'pg_terminate_backend of the walsender', inject: terminateWalsender },
  { name: HELD, inject: (world, random) => cutAfterReports(world, world.serving, random) },
  ...proxyFaults<World>('the database', (world) => world.serving.databaseProxy),
  ...proxyFaults<World>('the clients', (world) => world.clientProxy),
  {
    name: 'the clock jumps',
    async inject(world, random) {
      world.serving.signal('SIGUSR2')
      await delay(random.integer(100, 600))
      world.serving.signal('SIGUSR2')
      return true
    },
  },
  { name: 'a second rowcast takes the slot over', forgets: true, inject: takeOver },
  { name: 'a second rowcast takes the slot and loses it again', forgets: true, inject: takeOverAndBack },
]

async function killServing(world: World): Promise<boolean> {
  await world.serving.kill()
  await world.serving.start()
  return true
}

async function killAtStep(world: World, random: Random, step: Step): Promise<boolean> {
  const { serving } = world
  // What has arrived is worked on for a moment; the other steps are over once they are reached.
  const lingerMs = step === 'after decode' || step === 'before publish' ? random.integer(0, 20) : 0
  const isReached = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), STEP_TIMEOUT_MS)
    serving.trap.arm(step, () => {
      clearTimeout(timer)
      if (lingerMs === 0 && step.startsWith('before')) serving.signal('SIGKILL')
      setTimeout(() => resolve(true), lingerMs)
    })
  })
  serving.trap.disarm()
  await killServing(world)
  return isReached
}

/**
 * Connections on which nothing arrives, but PostgreSQL hears of a position: had it been one that was not reached, what
 * lies before it would be lost now.
 */
export async function cutAfterReports(
  { query }: Pick<World, 'query'>,
  served: HeldRowcast,
  random: Random,
): Promise<boolean> {
  let reports = 0
  for (let times = random.integer(3, 5); times > 0; times -= 1) {
    served.databaseProxy.cut()
    if (await reportsWhileHeld(query, served, 'before decode')) reports += 1
  }
  served.databaseProxy.cut()
  return reports > 0
}

/** The same in the middle of the next transaction: its rows arrive, its Commit does not. */
export async function cutAtCommit({ query }: Pick<World, 'query'>, served: HeldRowcast): Promise<boolean> {
  const hasReported = await reportsWhileHeld(query, served, 'after decode')
  served.databaseProxy.cut()
  return hasReported
}

type HeldRowcast = Pick<ServedRowcast, 'trap' | 'databaseProxy'>

async function reportsWhileHeld(query: World['query'], { trap }: HeldRowcast, step: Step): Promise<boolean> {
  const isHeld = await new Promise<boolean>((resolve) => {
    // Another tap may have taken the slot.
    setTimeout(() => resolve(false), HELD_TIMEOUT_MS).unref()
    trap.arm(step, () => resolve(true))
  })
  const hasReported = isHeld && (await awaitReport(query))
  trap.disarm()
  return hasReported
}

/** Whether the walsender hears of its client once more. */
async function awaitReport(query: World['query']): Promise<boolean> {
  const replyTime = async () => {
    const [row] = await query<{ at: string | null }>(
      'SELECT reply_time::text AS at FROM pg_stat_replication ORDER BY backend_start DESC LIMIT 1',
    )
    return row?.at ?? null
  }
  const first = await replyTime()
  const deadline = performance.now() + REPORT_TIMEOUT_MS
  while (performance.now() < deadline) {
    const now = await replyTime()
    if (now !== null && now !== first) return true
    await delay(20)
  }
  return false
}

async function terminateWalsender(world: World): Promise<boolean> {
  const rows = await world.query(
    'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
    [SLOT],
  )
  return rows.length > 0
}

/** The first is killed while the second stands by. */
async function takeOver(world: World): Promise<boolean> {
  const first = world.serving
  const second = await world.prepareSecond()
  await second.start()
  await awaitReplication(world, second.health, 'standby')
  await first.kill()
  world.serveWith(second)
  await first[Symbol.asyncDispose]()
  return true
}

/** The first loses its connection and stands by, with its clients, until the second is killed. */
async function takeOverAndBack(world: World, random: Random): Promise<boolean> {
  const { databaseProxy } = world.serving
  const second = await world.prepareSecond()
  await second.start()
  await awaitReplication(world, second.health, 'standby')
  databaseProxy.refuse(true)
  databaseProxy.cut()
  await awaitReplication(world, second.health, 'streaming')
  databaseProxy.refuse(false)
  await delay(random.integer(0, 1_500))
  await second[Symbol.asyncDispose]()
  return true
}

async function awaitReplication(
  world: World,
  health: World['serving']['health'],
  wanted: string,
): Promise<void> {
  const deadline = performance.now() + HEALTH_TIMEOUT_MS
  for (;;) {
    const now = await health()
    if (now?.replication === wanted) return
    // Nobody stands by behind a rowcast that is not there: let it come first.
    if (performance.now() > deadline)
      throw new Error(
        `It is ${now?.replication ?? 'silent'}, not ${wanted}; clients reach ${world.serving.name}.`,
      )
    await delay(50)
  }
}

/**
 * The slot is dropped behind rowcast's back and changes commit before there is another one: a gap. Every
 * subscriber is reported, once.
 */
export async function dropSlot(world: World): Promise<void> {
  const { serving } = world
  serving.databaseProxy.refuse(true)
  serving.databaseProxy.cut()
  await world.query(
    'SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = $1 AND active',
    [SLOT],
  )
  await world.query('SELECT pg_drop_replication_slot($1)', [SLOT])
  await world.writer.probe()
  serving.databaseProxy.refuse(false)
}

/** It reads the old primary for a while, and then finds the new one at the address. */
export function failOverSingle(world: World): Promise<void> {
  return failOver(world, async (port) => {
    const { databaseProxy } = world.serving
    databaseProxy.retarget(port)
    databaseProxy.cut()
    return () => {}
  })
}
