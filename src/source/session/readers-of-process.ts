/**
 * Beside the spine, source. Readers of slots in this process, by where they read. A development server that loads a
 * module again (Next.js, Vite) begins a second reader beside the first, which nobody stops: the second waits for ever.
 * The readers are counted on `globalThis`, as modules that were loaded again share nothing else.
 */
import type { Logger } from '../../logger.ts'

const READERS = Symbol.for('rowcast.readersOfProcess')

/** How many readers there are, by address and slot. */
function readersOfProcess(): Map<string, number> {
  const known: unknown = Reflect.get(globalThis, READERS)
  if (known instanceof Map) return known
  const readers = new Map<string, number>()
  Reflect.set(globalThis, READERS, readers)
  return readers
}

/** What is read, and from where. */
export interface ReaderPlace {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly slot: string
}

/** Counts a reader, with a warning where there is another already; returns what takes it from the count. */
export function countReader(reader: ReaderPlace, logger: Pick<Logger, 'warn'>): () => void {
  const { host, port, database, slot } = reader
  const place = JSON.stringify([host, port, database, slot])
  const readers = readersOfProcess()
  const others = readers.get(place) ?? 0
  readers.set(place, others + 1)
  if (others > 0) {
    logger.warn(
      `This process reads slot "${slot}" already: this rowcast gets no changes before the other one is stopped. Where modules are loaded again in development, keep one rowcast on globalThis.`,
      { slot, database, others },
    )
  }
  let isCounted = true
  return () => {
    if (!isCounted) return
    isCounted = false
    readers.set(place, Math.max(0, (readers.get(place) ?? 0) - 1))
  }
}
