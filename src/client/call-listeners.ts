/** Beside the spine, client. Who is called where a list differs. */

/** Calls all that are still there; where one throws, the others are called all the same, and its error is an uncaught one. */
export function callListeners(listeners: ReadonlySet<() => void>): void {
  for (const listener of [...listeners]) {
    if (!listeners.has(listener)) continue
    try {
      listener()
    } catch (error) {
      setTimeout(() => {
        throw error
      })
    }
  }
}
