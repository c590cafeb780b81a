/** Beside the spine, sets. Whoever reads rows has a turn: the connections are the application's. */

/** Pages that are read at once. */
const LANES = 2

/** The turns of one process. */
export class ReadTurns {
  readonly #lanes: { tail: Promise<unknown>; length: number }[] = Array.from({ length: LANES }, () => ({
    tail: Promise.resolve(),
    length: 0,
  }))

  /** Runs it after those that came before it; its failure is its own. */
  run<Result>(read: () => Promise<Result>): Promise<Result> {
    const lane = this.#lanes.reduce((least, each) => (each.length < least.length ? each : least))
    lane.length += 1
    const result = lane.tail.then(read).finally(() => {
      lane.length -= 1
    })
    lane.tail = result.catch(() => undefined)
    return result
  }
}
