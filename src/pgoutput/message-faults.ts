/**
 * Stage 2, pgoutput. The three ways in which bytes can fail to be a message, as errors that say where.
 * `offset` in their details counts from the message's first byte. No value of a row is ever quoted.
 */
import { RowcastError } from '../errors.ts'
import { findMessageTag } from './message-tags.ts'

/** Formats a byte for an error: `0x49`. */
export function formatByte(byte: number | undefined): string {
  return byte === undefined ? 'none' : `0x${byte.toString(16).padStart(2, '0')}`
}

/** A message is `bytes[start, end)`. */
export interface MessageBytes {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** Where in which message a fault lies, as the fields every decoder error carries. */
function faultDetails({ bytes, start, end }: MessageBytes, offset: number) {
  const first = start < end ? bytes[start] : undefined
  const known = findMessageTag(first)
  return {
    tag: known?.tag ?? formatByte(first),
    message: known?.kind ?? 'unknown',
    offset: offset - start,
    length: end - start,
  }
}

/** The message ends before `expected`, which should be at `offset` (absolute, in `bytes`). */
export function truncatedMessage(message: MessageBytes, offset: number, expected: string): RowcastError {
  const details = faultDetails(message, offset)
  return new RowcastError(
    'PGOUTPUT_TRUNCATED',
    `A pgoutput message (tag ${details.tag}, ${details.message}) is cut: of its ${details.length} bytes ` +
      `too few are left at offset ${details.offset} for ${expected}.`,
    { details },
  )
}

/** What stands at `offset` (absolute, in `bytes`) cannot be part of such a message. */
export function malformedMessage(message: MessageBytes, offset: number, found: string): RowcastError {
  const details = faultDetails(message, offset)
  return new RowcastError(
    'PGOUTPUT_MALFORMED',
    `A pgoutput message (tag ${details.tag}, ${details.message}) of ${details.length} bytes has ${found} ` +
      `at offset ${details.offset}.`,
    { details },
  )
}

/** The first byte is no tag of the protocol version asked for. */
export function unknownMessage(message: MessageBytes, protocolVersion: number): RowcastError {
  const details = { ...faultDetails(message, message.start), protocolVersion }
  return new RowcastError(
    'PGOUTPUT_UNKNOWN_MESSAGE',
    `A pgoutput message of ${details.length} bytes has the tag ${details.tag} (${details.message}), ` +
      `which protocol version ${protocolVersion} does not have.`,
    { details },
  )
}
