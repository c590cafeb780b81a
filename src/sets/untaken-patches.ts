/**
 * Beside the spine, sets. Patches that somebody has not taken yet, of all lists and totals of a process, by what they hold. Where that is too much, those who
 * have left the oldest waiting let go of all that waits for them, and get the whole instead: a list is kept anyway, and costs nothing more.
 */

/** What has changed. */
export interface KeptPatch<Event> {
  readonly event: Event
  /** What it holds beside what is kept, by estimate. */
  readonly bytes: number
}

/** Somebody for whom patches wait. */
export interface PatchHolder {
  /** Lets go of all that waits: the whole comes instead. */
  letGo(): void
}

/** A patch's own objects, beside its rows, and its place in a queue. */
const PATCH_BYTES = 256

/** All of one process. */
export class UntakenPatches {
  readonly #bytesMax: number
  /** In the order in which they came. */
  readonly #holders = new Map<KeptPatch<unknown>, Set<PatchHolder>>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** It waits for somebody more. It is in memory once, however many it waits for. */
  hold(patch: KeptPatch<unknown>, holder: PatchHolder): void {
    const holders = this.#holders.get(patch)
    if (holders !== undefined) {
      holders.add(holder)
      return
    }
    this.#holders.set(patch, new Set([holder]))
    this.#bytes += patch.bytes + PATCH_BYTES
    while (this.#bytes > this.#bytesMax) this.#letGoOfOldest()
  }

  /** Somebody has taken it, or does not want it any more. */
  release(patch: KeptPatch<unknown>, holder: PatchHolder): void {
    const holders = this.#holders.get(patch)
    if (holders === undefined || !holders.delete(holder) || holders.size > 0) return
    this.#holders.delete(patch)
    this.#bytes -= patch.bytes + PATCH_BYTES
  }

  #letGoOfOldest(): void {
    const [oldest] = this.#holders
    if (oldest === undefined) return
    const [patch, holders] = oldest
    for (const holder of [...holders]) {
      holder.letGo()
      this.release(patch, holder)
    }
  }
}
