/** The two worlds a run may be of: one rowcast alone, or taps, Redis and gateways. */
import { DISTRIBUTED_FAULTS, dropDistributedSlot, killsInHuge } from './distributed-faults.ts'
import { type DistributedWorld, openDistributedWorld } from './distributed-world.ts'
import type { FaultKind } from './fault-kind.ts'
import { dropSlot, FAULTS } from './faults.ts'
import type { Random } from './random.ts'
import type { WorldBase, WorldOptions } from './stage.ts'
import { openWorld, type World } from './world.ts'

/** How a run of one kind of world goes. */
export interface Shape<W> {
  openWorld(options: WorldOptions): Promise<W & WorldBase>
  readonly faults: readonly FaultKind<W>[]
  /** What meets a huge transaction on its way. */
  killsInHuge(random: Random): readonly FaultKind<W>[]
  /** A gap that every subscriber is told of, once. */
  dropSlot(world: W, expectedResyncs: number, timeoutMs: number): Promise<void>
}

/** One rowcast alone. */
export const SINGLE: Shape<World> = {
  openWorld,
  faults: FAULTS,
  killsInHuge: (random) =>
    random
      .shuffle(FAULTS.filter(({ name }) => /kill -9 rowcast (after decode|before send|at)/.test(name)))
      .slice(0, 2),
  dropSlot,
}

/** Two taps, Redis and two gateways. */
export const DISTRIBUTED: Shape<DistributedWorld> = {
  openWorld: openDistributedWorld,
  faults: DISTRIBUTED_FAULTS,
  killsInHuge,
  dropSlot: dropDistributedSlot,
}
