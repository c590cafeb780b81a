/** The live page: reads to screen readers what has changed, at most every few seconds, and nothing while paused. */
import { find, setText } from './dom.ts'
import { summarize } from './format.ts'
import type { Change } from './page-state.ts'

const PAUSE_MS = 5_000

/** Creates one; give it each batch of changes that is shown. */
export function createAnnouncer(): (changes: readonly Change[]) => void {
  const region = find('announcer', HTMLElement)
  let waiting: readonly Change[] = []
  let isResting = false

  function speak(): void {
    if (waiting.length === 0) return
    setText(region, summarize(waiting))
    waiting = []
    isResting = true
    setTimeout(() => {
      isResting = false
      speak()
    }, PAUSE_MS)
  }

  return (changes) => {
    waiting = [...waiting, ...changes]
    if (!isResting) speak()
  }
}
