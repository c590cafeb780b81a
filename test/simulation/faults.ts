/** What may befall a world, and how often. */
import type { World } from './world.ts'

/** Does it, and says what was done; null where there is nothing that it could befall. */
type Fault = (world: World) => string | null

const FAULTS = {
  cutLink: [4, (world) => world.cutLink()],
  silenceLink: [3, (world) => world.silenceLink()],
  crashServer: [2, (world) => world.crashServer()],
  crashProcess: [2, (world) => world.replaceProcess(true)],
  stopProcess: [2, (world) => world.replaceProcess(false)],
  addProcess: [1, (world) => world.addProcess()],
  pauseProcess: [2, (world) => world.pauseProcess()],
  moveClock: [1, (world) => world.moveClock()],
  befallBroker: [5, (world) => world.befallBroker()],
  dropClient: [3, (world) => world.dropClient()],
  dropSlot: [1, (world) => world.dropSlot()],
  giveUpSlot: [1, (world) => world.giveUpSlot()],
  unpublishWhileSlotIsMade: [1, (world) => world.unpublishWhileSlotIsMade()],
  unpublish: [2, (world) => world.unpublish()],
  unpublishWhileDown: [1, (world) => world.unpublishWhileDown()],
  recreatePublication: [1, (world) => world.recreatePublication()],
  recreateTable: [1, (world) => world.recreateTable()],
  alterTable: [2, (world) => world.alterTable()],
  terminate: [2, (world) => world.terminate()],
  failOver: [3, (world) => world.failOver()],
  loseSite: [1, (world) => world.loseSite()],
  failOverBehindNoise: [1, (world) => world.failOverBehindNoise()],
} satisfies Record<string, readonly [weight: number, fault: Fault]>

/** The name of one. */
export type FaultName = keyof typeof FAULTS

const NAMES = Object.keys(FAULTS) as FaultName[]
const TOTAL = NAMES.reduce((sum, name) => sum + FAULTS[name][0], 0)

/** One, by its weight; `share` is from 0 up to 1. */
export function pickFault(share: number): FaultName {
  let at = share * TOTAL
  for (const name of NAMES) {
    at -= FAULTS[name][0]
    if (at < 0) return name
  }
  return 'cutLink'
}

/** Has it befall the world. */
export function befall(world: World, name: FaultName): string | null {
  return FAULTS[name][1](world)
}
