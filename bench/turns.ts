/** How long turns of a contender's event loop are. */
import { readFileSync } from 'node:fs'

/** Between two looks at the CPU time. */
const TICK_MS = 5
let longestMicros = 0

/**
 * CPU time of the main thread in microseconds: what runs beside it, V8's own threads and others' processes, makes nobody's turn
 * longer. Linux says it of the thread; elsewhere it is the whole process's.
 */
function mainThreadMicros(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ', 1)[0]) / 1_000
  } catch {
    const { user, system } = process.cpuUsage()
    return user + system
  }
}

/** Begins to note the longest turn of the event loop, in CPU time: on a busy machine the time by the clock says little. */
function noteTurns(): void {
  let last = mainThreadMicros()
  setInterval(() => {
    const now = mainThreadMicros()
    longestMicros = Math.max(longestMicros, now - last)
    last = now
  }, TICK_MS)
}

/** The longest since it was asked last, in milliseconds. */
function longestTurn(): number {
  const ms = longestMicros / 1_000
  longestMicros = 0
  return ms
}

/**
 * For how long the main thread could have run and had no processor, in milliseconds since it began: times by the clock have it in them, whoever
 * was running instead. 0 where the system does not say.
 */
function waitedMs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ', 2)[1]) / 1_000_000
  } catch {
    return 0
  }
}

/** For a contender's module. */
export const turnCommands = { noteTurns, longestTurn, waitedMs }
