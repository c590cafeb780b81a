/** One kind of fault, in one kind of world. */
import type { Random } from './random.ts'

/** A small program that does its harm and leaves the world able to recover. */
export interface FaultKind<W> {
  readonly name: string
  /** Resolves when the harm is done and nothing is left broken on purpose; false: it could not be done. */
  inject(world: W, random: Random): Promise<boolean>
}
