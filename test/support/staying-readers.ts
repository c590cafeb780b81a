/** Clients that stay through restarts, and whoever writes meanwhile. Where they do not come on, the failure says what each of them has and why. */
import { vi } from 'vitest'
import type { ChangeClient } from '../../src/client/change-client.ts'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import type { TestDatabase } from './database.ts'
import { PATIENCE_MS } from './patience-ms.ts'

interface TagChanged {
  readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } }
}

const QUERY =
  'subscription ($after: Cursor) { tagChanged(after: $after, action: INSERT) { cursor new { name } } }'

/** A client that ends when it is asked to. */
type StayingClient = ChangeClient & { dispose(): unknown }

/** One of them. */
export interface StayingReader {
  readonly name: string
  /** The tags, in the order in which they came. */
  readonly seen: readonly string[]
  /** How it stands, in words. */
  standing(): string
  /** Null as long as it reads. */
  readonly end: string | null
  close(): Promise<void>
}

/** Reads the tags from a cursor on. */
export function openStayingReader(
  name: string,
  client: StayingClient,
  after: string | undefined,
): StayingReader {
  const seen: string[] = []
  const state: { end: string | null; isConnected: boolean } = { end: null, isConnected: false }
  const onConnection = (isConnected: boolean): void => {
    state.isConnected = isConnected
  }
  const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after, onConnection })
  const reading = (async () => {
    for await (const { tagChanged } of changes) seen.push(tagChanged.new.name)
    return 'ended without an error'
  })()
  const over = reading.then(
    (end) => {
      state.end = end
    },
    (error: unknown) => {
      state.end = `failed with ${String(error)} ${JSON.stringify(error)}`
    },
  )
  return {
    ...{ name, seen },
    get end() {
      return state.end
    },
    standing: () =>
      `${name} has ${seen.length}, ${state.end ?? (state.isConnected ? 'connected' : 'not connected')}`,
    async close() {
      void changes.return()
      await client.dispose()
      await over
    },
  }
}

/** Whoever writes the tags 0, 1, 2 and so on, each in a transaction of its own. */
export interface TagWriter {
  readonly written: number
  /** Resolves when nothing is written any more. @throws what failed a write */
  stop(): Promise<void>
}

/** Begins to write. */
export function startTagWriter(database: TestDatabase, pauseMs: number): TagWriter {
  const state = { written: 0, isWriting: true }
  const writing = (async () => {
    while (state.isWriting) {
      await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [String(state.written)])
      state.written += 1
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  })()
  return {
    get written() {
      return state.written
    },
    stop() {
      state.isWriting = false
      return writing
    },
  }
}

/** Of the reader that has the fewest. */
export function fewestSeen(readers: readonly StayingReader[]): number {
  return Math.min(...readers.map(({ seen }) => seen.length))
}

/** Until the reader with the fewest tags has as many as are wanted. @throws at once where one has ended; says what each of them has */
export async function awaitSeen(
  readers: readonly StayingReader[],
  writer: TagWriter,
  isEnough: (fewest: number) => boolean,
  sayMore: () => string = () => '',
): Promise<void> {
  const haveCome = (): boolean => {
    if (readers.some(({ end }) => end !== null)) throw new Error('A reader has ended.')
    return isEnough(fewestSeen(readers))
  }
  try {
    await vi.waitUntil(haveCome, { timeout: PATIENCE_MS })
  } catch (cause) {
    const standing = readers.map((reader) => reader.standing())
    const words = [...standing, `${writer.written} are written`, sayMore()]
    throw new Error(`The readers do not come on: ${words.filter(Boolean).join('; ')}.`, { cause })
  }
}
