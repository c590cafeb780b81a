/**
 * Loaded with `--import` into a process whose wall clock shall jump: at each SIGUSR2 it goes an hour on or two back.
 * The monotonic clock and timers stay as they are, as they do when an operator or NTP sets the time.
 */
const JUMPS_MS = [3_600_000, -7_200_000]
const SystemDate = Date

let offsetMs = 0
let jumps = 0

/** `Date` whose now is off. */
class JumpingDate extends SystemDate {
  constructor(...parts: readonly unknown[]) {
    if (parts.length === 0) super(JumpingDate.now())
    else super(...(parts as [number]))
  }

  static override now(): number {
    return SystemDate.now() + offsetMs
  }
}

globalThis.Date = JumpingDate as DateConstructor

process.on('SIGUSR2', () => {
  offsetMs += JUMPS_MS[jumps % JUMPS_MS.length] ?? 0
  jumps += 1
})
