/** Beside the spine, client. What has come and waits to be taken, in order. */
export interface Inbox<Data> {
  push(data: Data): void
  /** Ends it, after what waits: normally with null. */
  end(error: unknown): void
  /** The next one; null at the end. */
  take(): Promise<Data | null>
}

/** Creates an empty one. */
export function createInbox<Data>(): Inbox<Data> {
  const waiting: Data[] = []
  let ended: { readonly error: unknown } | null = null
  let wake = () => {}
  return {
    push(data) {
      waiting.push(data)
      wake()
    },
    end(error) {
      ended ??= { error }
      wake()
    },
    async take() {
      for (;;) {
        const data = waiting.shift()
        if (data !== undefined) return data
        if (ended?.error) throw ended.error
        if (ended !== null) return null
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
