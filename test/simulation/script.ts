/**
 * What a world does: its seed, and where chance has been cut down, which faults befall it and when. Each step has random sources of its
 * own, so that what is left out of a script changes nothing of what is left in.
 */
import { createRandom, type Random } from '../chaos/random.ts'
import type { FaultName } from './faults.ts'

/** A fault and the step of the world at which it comes. */
export interface ScriptedFault {
  readonly step: number
  readonly fault: FaultName
}

/** A world. */
export interface Script {
  readonly seed: number
  /** With viewers that few worlds have had so far, and with more that is asked of viewers near a gap. @default false */
  readonly isStrict?: boolean | undefined
  /** With taps and gateways or without. @default the seed decides */
  readonly isScaled?: boolean | undefined
  /** @default chance decides */
  readonly faults?: readonly ScriptedFault[] | undefined
  /** After so many nothing befalls it any more. @default chance decides */
  readonly steps?: number | undefined
  /** Steps at which the application writes. @default all */
  readonly writes?: readonly number[] | undefined
  /** @default all */
  readonly clients?: readonly number[] | undefined
  /** Those who have a set of rows. @default all */
  readonly viewers?: readonly number[] | undefined
}

/** What a step's random source is for. */
export type Purpose = 'world' | 'pause' | 'write' | 'fault' | 'heal' | 'viewers'

const PURPOSES: readonly Purpose[] = ['world', 'pause', 'write', 'fault', 'heal', 'viewers']

/** The random source of one step, for one purpose. */
export function randomOf({ seed }: Script, step: number, purpose: Purpose): Random {
  let mixed = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(step + 1, 0xc2b2_ae35)
  mixed =
    Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d) + Math.imul(PURPOSES.indexOf(purpose) + 1, 0x297a_2d39)
  return createRandom(mixed ^ (mixed >>> 13))
}
