/** One kind of fault, in one kind of world. */
import type { Random } from './random.ts'

/** A small program that does its harm and leaves the world able to recover. */
export interface FaultKind<W> {
  readonly name: string
  /** What had been accepted is gone, with a process or a Redis: only a slot that retains it brings it back. @default false */
  readonly forgets?: boolean | undefined
  /** Resolves when the harm is done and nothing is left broken on purpose; false: it could not be done. */
  inject(world: W, random: Random): Promise<boolean>
}
