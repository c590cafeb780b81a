/**
 * Beside the spine, cli. A recording: the messages of a replication stream in a file. A line of JSON that says what it
 * is, then each message as its length (4 bytes, big-endian) and its bytes, as PostgreSQL sent them.
 *
 *     {"rowcast":"recording","version":1,"systemId":"…","timeline":1,"publication":"…"}\n
 *     Int32 n, Byte[n] output-plugin message, Int32 n, …
 */

import type { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { RowcastError } from '../errors.ts'
import { unwritable } from './project-file.ts'

/** What the first line says. */
export interface RecordingHeader {
  readonly systemId: string
  readonly timeline: number
  readonly publication: string
}

/** A recording that is being written. */
export interface RecordingWriter {
  readonly frames: number
  readonly bytes: number
  write(bytes: Buffer, start: number, end: number): void
  /** Resolves when the disk has caught up; null when there is nothing to wait for. */
  backlog(): Promise<void> | null
  /** Rejects when the file cannot be written. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

const LENGTH_BYTES = 4
const HEADER_BYTES_MAX = 4_096
/** PostgreSQL allocates no message beyond a gibibyte. */
const FRAME_BYTES_MAX = 0x4000_0000
const CHUNK_BYTES = 1024 * 1024

/** Creates the file, readable by its owner alone: it holds whole rows, hidden fields too. @throws RECORDING_UNREADABLE when it exists, CLI_FILE_UNWRITABLE */
export async function createRecording(file: string, header: RecordingHeader): Promise<RecordingWriter> {
  const stream = createWriteStream(file, { flags: 'wx', mode: 0o600 })
  const failed = new Promise<never>((_resolve, reject) => {
    stream.on('error', (error) => reject(notCreated(file, error)))
  })
  failed.catch(() => undefined)
  await Promise.race([once(stream, 'open'), failed])
  stream.write(`${JSON.stringify({ rowcast: 'recording', version: 1, ...header })}\n`)
  let frames = 0
  let bytesWritten = 0
  return {
    get frames() {
      return frames
    },
    get bytes() {
      return bytesWritten
    },
    failed,
    write(bytes, start, end) {
      const frame = globalThis.Buffer.allocUnsafe(LENGTH_BYTES + end - start)
      frame.writeInt32BE(end - start, 0)
      bytes.copy(frame, LENGTH_BYTES, start, end)
      stream.write(frame)
      frames += 1
      bytesWritten += end - start
    },
    backlog() {
      if (!stream.writableNeedDrain) return null
      return Promise.race([once(stream, 'drain'), failed]).then(
        () => undefined,
        () => undefined,
      )
    },
    async close() {
      if (stream.closed) return
      const closed = once(stream, 'close').catch(() => undefined)
      stream.end()
      await closed
    },
  }
}

/** A recording that is being read. */
export interface RecordingReader {
  readonly header: RecordingHeader
  /** The file ended in the middle of a message: whoever recorded was cut off. All before it was read. */
  readonly isCut: boolean
  /** One output-plugin message each. @throws RECORDING_UNREADABLE */
  frames(): AsyncIterableIterator<Buffer>
  close(): Promise<void>
}

/** Opens a recording. @throws RECORDING_UNREADABLE */
export async function openRecording(file: string): Promise<RecordingReader> {
  const handle = await open(file).catch((error: unknown) => {
    throw unusable(file, error)
  })
  try {
    const head = globalThis.Buffer.alloc(HEADER_BYTES_MAX)
    const { bytesRead } = await handle.read(head, 0, HEADER_BYTES_MAX, 0)
    const end = head.subarray(0, bytesRead).indexOf('\n')
    const header = parseHeader(file, head.toString('utf8', 0, Math.max(end, 0)))
    return createReader(file, handle, header, end + 1)
  } catch (error) {
    await handle.close()
    throw error instanceof RowcastError ? error : unusable(file, error)
  }
}

function createReader(
  file: string,
  handle: FileHandle,
  header: RecordingHeader,
  offset: number,
): RecordingReader {
  let position = offset
  let isCut = false

  /** Null at the end of the file. */
  async function read(length: number): Promise<Buffer | null> {
    const bytes = globalThis.Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    position += filled
    return filled === 0 ? null : bytes.subarray(0, filled)
  }

  return {
    header,
    get isCut() {
      return isCut
    },
    async *frames() {
      let rest: Buffer = globalThis.Buffer.alloc(0)
      for (;;) {
        const more = await read(Math.max(missingBytes(file, rest), CHUNK_BYTES))
        if (more === null) break
        rest = rest.length === 0 ? more : globalThis.Buffer.concat([rest, more])
        let at = 0
        while (missingBytes(file, rest, at) === 0) {
          const start = at + LENGTH_BYTES
          at = start + rest.readInt32BE(at)
          yield rest.subarray(start, at)
        }
        rest = rest.subarray(at)
      }
      isCut = rest.length > 0
    },
    close: () => handle.close(),
  }
}

/** Bytes that the message at `at` still lacks; 0 when it is whole. */
function missingBytes(file: string, bytes: Buffer, at = 0): number {
  const there = bytes.length - at
  if (there < LENGTH_BYTES) return LENGTH_BYTES - there
  const length = bytes.readInt32BE(at)
  if (length <= 0 || length > FRAME_BYTES_MAX)
    throw unreadable(file, `a message of ${length} bytes cannot be`)
  return Math.max(LENGTH_BYTES + length - there, 0)
}

function parseHeader(file: string, line: string): RecordingHeader {
  try {
    const { rowcast, version, systemId, timeline, publication } = JSON.parse(line) as Record<string, unknown>
    const isOurs = rowcast === 'recording' && version === 1
    if (isOurs && typeof systemId === 'string' && typeof timeline === 'number')
      return { systemId, timeline, publication: String(publication) }
  } catch {
    // Reported below.
  }
  throw unreadable(file, 'it is no recording of rowcast, or one of another version')
}

function notCreated(file: string, error: Error): RowcastError {
  if (!('code' in error) || error.code !== 'EEXIST') return unwritable(file, error)
  return new RowcastError('RECORDING_UNREADABLE', `${file} is there already, and nothing is written over.`, {
    hint: 'Name another file, or remove it.',
  })
}

function unusable(file: string, error: unknown): RowcastError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return unreadable(file, `the file cannot be used (${code})`, error)
}

function unreadable(file: string, why: string, cause?: unknown): RowcastError {
  return new RowcastError('RECORDING_UNREADABLE', `${file}: ${why}.`, { cause })
}
