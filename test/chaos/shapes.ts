/** The two worlds a run may be of: one rowcast alone, or taps, Redis and gateways. */
import {
  activeTap,
  DISTRIBUTED_FAULTS,
  dropDistributedSlot,
  failOverDistributed,
} from './distributed-faults.ts'
import { type DistributedWorld, openDistributedWorld } from './distributed-world.ts'
import type { FaultKind } from './fault-kind.ts'
import { cutAtCommit, dropSlot, FAULTS, failOverSingle } from './faults.ts'
import type { WorldBase, WorldOptions } from './stage.ts'
import { openWorld, type World } from './world.ts'

/** How a run of one kind of world goes. */
export interface Shape<W> {
  openWorld(options: WorldOptions): Promise<W & WorldBase>
  readonly faults: readonly FaultKind<W>[]
  /** Holds the Commit of the next transaction for a while, then cuts. */
  readonly cutAtCommit: FaultKind<W>['inject']
  /** What meets a huge transaction on its way: some of these. */
  readonly killsInHuge: { readonly names: RegExp; readonly count: number }
  /** A gap of all models. */
  dropSlot(world: W): Promise<void>
  /** Another primary takes over, and the old one lives on. */
  failOver(world: W): Promise<void>
}

/** One rowcast alone. */
const SINGLE: Shape<World> = {
  openWorld,
  faults: FAULTS,
  cutAtCommit: (world) => cutAtCommit(world, world.serving),
  killsInHuge: { names: /kill -9 rowcast (after decode|before send|at)/, count: 2 },
  dropSlot,
  failOver: failOverSingle,
}

/** Two taps, Redis and two gateways. */
const DISTRIBUTED: Shape<DistributedWorld> = {
  openWorld: openDistributedWorld,
  faults: DISTRIBUTED_FAULTS,
  cutAtCommit: async (world) => cutAtCommit(world, (await activeTap(world)).served),
  killsInHuge: { names: /^kill -9/, count: 3 },
  dropSlot: dropDistributedSlot,
  failOver: failOverDistributed,
}

/**
 * The same with a slot that retains nothing: what was accepted, PostgreSQL forgets at once. So whatever is confirmed too
 * early is lost for good, and the ledger shows. Without the faults that forget what was accepted.
 */
function thinned<W>(shape: Shape<W>): Shape<W> {
  return {
    ...shape,
    openWorld: (options) => shape.openWorld({ ...options, retain: 'nothing' }),
    faults: shape.faults.filter(({ forgets }) => forgets !== true),
  }
}

/** Both, as they are and thinned. */
export const SHAPES = {
  single: SINGLE,
  distributed: DISTRIBUTED,
  thinSingle: { ...thinned(SINGLE), killsInHuge: { names: /walsender|^cut .* database/, count: 2 } },
  thinDistributed: thinned(DISTRIBUTED),
}
