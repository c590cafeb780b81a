/** Faults of the distributed world: taps, gateways, Redis, and every line between them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { DistributedWorld, ServedRole } from './distributed-world.ts'
import { failOver } from './failover.ts'
import type { FaultKind } from './fault-kind.ts'
import { cutAfterReports, HELD } from './faults.ts'
import { GAP_FAULTS } from './gap-faults.ts'
import { proxyFaults } from './network-faults.ts'
import type { Random } from './random.ts'
import { SLOT } from './world.ts'

type Fault = FaultKind<DistributedWorld>
const HEALTH_TIMEOUT_MS = 60_000

/** All of them. */
export const DISTRIBUTED_FAULTS: readonly Fault[] = [
  ...GAP_FAULTS,
  {
    name: 'kill -9 the tap that writes',
    async inject(world) {
      await restart(await activeTap(world))
      return true
    },
  },
  {
    name: 'kill -9 the tap that writes; it comes back when the other has taken over',
    async inject(world) {
      const active = await activeTap(world)
      await active.served.kill()
      await activeTap(world)
      await active.served.start()
      return true
    },
  },
  {
    name: 'kill -9 both taps',
    async inject({ taps }) {
      await Promise.all(taps.map(({ served }) => served.kill()))
      await Promise.all(taps.map(({ served }) => served.start()))
      return true
    },
  },
  {
    name: 'kill -9 a gateway',
    async inject({ gateways }, random) {
      await restart(random.pick(gateways))
      return true
    },
  },
  {
    name: 'stop the tap that writes for a while, as a machine that is moved',
    async inject(world, random) {
      const { served } = await activeTap(world)
      served.signal('SIGSTOP')
      await delay(random.integer(200, 3_000))
      // Half the time somebody else has the slot when it wakes up.
      if (random.chance(0.5)) await terminateWalsender(world)
      await delay(random.integer(0, 1_000))
      served.signal('SIGCONT')
      return true
    },
  },
  {
    name: 'kill -9 Redis; it comes back with its data',
    async inject({ redis }, random) {
      await redis.kill()
      await delay(random.integer(0, 1_500))
      await redis.start()
      return true
    },
  },
  {
    name: 'kill -9 Redis; it comes back empty',
    forgets: true,
    async inject({ redis }, random) {
      await redis.kill()
      await redis.forget()
      await delay(random.integer(0, 1_500))
      await redis.start()
      return true
    },
  },
  {
    name: 'FLUSHALL',
    forgets: true,
    async inject({ redis }) {
      await redis.command('FLUSHALL')
      return true
    },
  },
  {
    // What it has handed on and Redis has not taken may not have been confirmed.
    name: 'kill -9 the tap that writes while Redis stalls',
    async inject(world, random) {
      const active = await activeTap(world)
      world.redis.signal('SIGSTOP')
      await delay(random.integer(500, 2_500))
      await active.served.kill()
      world.redis.signal('SIGCONT')
      await active.served.start()
      return true
    },
  },
  {
    name: 'Redis is full for a while',
    async inject({ redis }, random) {
      await redis.command('CONFIG', 'SET', 'maxmemory', '100kb')
      await delay(random.integer(100, 2_000))
      await redis.command('CONFIG', 'SET', 'maxmemory', '0')
      return true
    },
  },
  {
    name: 'Redis stalls',
    async inject({ redis }, random) {
      redis.signal('SIGSTOP')
      await delay(random.integer(100, 3_000))
      redis.signal('SIGCONT')
      return true
    },
  },
  {
    name: 'kill -9 PostgreSQL',
    async inject({ site: { cluster } }, random) {
      await cluster.kill()
      await delay(random.integer(0, 500))
      await cluster.start()
      return true
    },
  },
  {
    name: 'pg_terminate_backend of the walsender',
    async inject(world) {
      return terminateWalsender(world)
    },
  },
  {
    name: 'the clock of a tap jumps',
    inject: async (world, random) => jumpClock(random.pick(world.taps).served, random),
  },
  {
    name: 'the clock of a gateway jumps',
    inject: async (world, random) => jumpClock(random.pick(world.gateways).served, random),
  },
  {
    name: 'the tap that writes is killed, and the clock of the one that takes over is wrong',
    async inject(world, random) {
      const active = await activeTap(world)
      const other = world.taps.find((tap) => tap !== active) ?? active
      other.served.signal('SIGUSR2')
      if (random.chance(0.5)) other.served.signal('SIGUSR2')
      await restart(active)
      await activeTap(world)
      return true
    },
  },
  {
    name: HELD,
    inject: async (world, random) => cutAfterReports(world, (await activeTap(world)).served, random),
  },
  ...proxyFaults<DistributedWorld>(
    'a tap and PostgreSQL',
    ({ taps }, random) => random.pick(taps).served.databaseProxy,
  ),
  ...proxyFaults<DistributedWorld>('a tap and Redis', ({ taps }, random) => random.pick(taps).redisProxy),
  ...proxyFaults<DistributedWorld>(
    'a gateway and Redis',
    ({ gateways }, random) => random.pick(gateways).redisProxy,
  ),
  ...proxyFaults<DistributedWorld>('clients', ({ gateways }, random) => random.pick(gateways).clientProxy),
]

/** An hour on, and back to one hour before. */
async function jumpClock(served: ServedRole['served'], random: Random): Promise<boolean> {
  served.signal('SIGUSR2')
  await delay(random.integer(100, 1_500))
  served.signal('SIGUSR2')
  return true
}

async function restart({ served }: ServedRole): Promise<void> {
  await served.kill()
  await served.start()
}

/** The tap that reads the slot, once there is one. */
export async function activeTap({ taps }: DistributedWorld): Promise<ServedRole> {
  const deadline = performance.now() + HEALTH_TIMEOUT_MS
  for (;;) {
    for (const tap of taps) {
      const health = await tap.served.health()
      if (health?.isActiveTap === true) return tap
    }
    if (performance.now() > deadline) throw new Error('No tap has taken over.')
    await delay(50)
  }
}

async function terminateWalsender(world: DistributedWorld): Promise<boolean> {
  const rows = await world.query(
    'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
    [SLOT],
  )
  return rows.length > 0
}

/** Both taps are kept away, the slot is dropped, and changes commit without one: every subscriber is notified, once. */
export async function dropDistributedSlot(world: DistributedWorld): Promise<void> {
  const { writer, taps } = world
  for (const { served } of taps) {
    served.databaseProxy.refuse(true)
    served.databaseProxy.cut()
  }
  await terminateWalsender(world)
  await untilFree(world)
  await world.query('SELECT pg_drop_replication_slot($1)', [SLOT])
  await writer.probe()
  for (const { served } of taps) served.databaseProxy.refuse(false)
}

async function untilFree(world: DistributedWorld): Promise<void> {
  for (;;) {
    const rows = await world.query('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1 AND active', [
      SLOT,
    ])
    if (rows.length === 0) return
    await delay(20)
  }
}

/** The tap that writes stays with the old primary, and with Redis, until all have heard of the other one. */
export function failOverDistributed(world: DistributedWorld): Promise<void> {
  return failOver(world, async (port) => {
    const old = await activeTap(world)
    const move = ({ served: { databaseProxy } }: ServedRole) => {
      databaseProxy.retarget(port)
      databaseProxy.cut()
    }
    for (const role of [...world.gateways, ...world.taps]) if (role !== old) move(role)
    return () => move(old)
  })
}
