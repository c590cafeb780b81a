/** Beside the spine, cli. How far a catch-up has come: share, rate, and when it will be done. */
import type { Lsn } from '../wire/lsn.ts'
import type { Terminal } from './terminal.ts'

/** Follows a catch-up and says so now and then. */
export interface CatchUpProgress {
  /** What lies before the server's position is to be caught up with. */
  begin(startLsn: Lsn, serverLsn: Lsn): void
  /** So many changes came. */
  count(changes: number): void
  /** The stream has come this far. */
  reach(lsn: Lsn): void
}

const REPORT_INTERVAL_MS = 1_000

/** Creates it; `nowMs` is a monotonic clock. */
export function createCatchUpProgress(
  notes: Terminal,
  nowMs: () => number = () => performance.now(),
): CatchUpProgress {
  let range: { readonly from: Lsn; readonly to: Lsn } | null = null
  let startedMs = 0
  let reportedMs = 0
  let changes = 0

  function say(text: string): void {
    notes.print(notes.style('dim', text))
  }

  return {
    begin(from, to) {
      range = { from, to }
      startedMs = nowMs()
      reportedMs = startedMs
    },
    count(more) {
      if (range !== null) changes += more
    },
    reach(lsn) {
      if (range === null) return
      const seconds = (nowMs() - startedMs) / 1_000
      if (lsn >= range.to) {
        range = null
        say(`Caught up: ${formatCount(changes)} changes in ${formatSeconds(seconds)}.`)
        return
      }
      if (nowMs() - reportedMs < REPORT_INTERVAL_MS) return
      reportedMs = nowMs()
      const share = Math.max(Number(lsn - range.from) / Number(range.to - range.from), 0)
      const left = share > 0 ? `, ${formatSeconds((seconds / share) * (1 - share))} left` : ''
      const rate = formatCount(changes / seconds)
      say(`Catching up: ${Math.floor(share * 100)} %, ${formatCount(changes)} changes, ${rate}/s${left}`)
    },
  }
}

function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

function formatSeconds(seconds: number): string {
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`
}
