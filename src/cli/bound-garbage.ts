/**
 * Beside the spine, cli. How much garbage the process keeps. V8 lets its old generation grow to several times what is live before
 * it collects: after a burst of work a service of 100 MiB has 300, and keeps them as long as little happens.
 */
import { setFlagsFromString } from 'node:v8'

/** Collections begin when so much has been added to what was live, in percent. */
const GROWTH_PERCENT = 30

/** Has V8 collect earlier, which costs some percent of CPU where much is kept for a moment. For processes that are ours alone. */
export function boundGarbage(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`)
}
