/**
 * Stage 1, wire. ErrorResponse and NoticeResponse as they arrive on the replication connection.
 * Source: PostgreSQL manual, "Error and Notice Message Fields".
 */
import type { Buffer } from 'node:buffer'

/** What the server says of an error or a notice. */
export interface ServerMessage {
  /** SQLSTATE, five characters. */
  readonly code: string
  readonly severity: string
  /** The server's own sentence; may name tables and slots, so it goes to the log, never to a client. */
  readonly message: string
}

/** An ErrorResponse as an Error whose `code` is the SQLSTATE, as the SQL driver reports its own. */
export class PostgresError extends Error {
  override readonly name = 'PostgresError'
  readonly code: string
  readonly severity: string

  constructor(message: ServerMessage) {
    super(message.message)
    this.code = message.code
    this.severity = message.severity
  }
}

/** Decodes the body of an ErrorResponse or NoticeResponse: repeated (Byte1 field type, String), ended by a zero byte. */
export function decodeServerMessage(bytes: Buffer, start: number, end: number): ServerMessage {
  let code = ''
  let severity = ''
  let message = ''
  let offset = start
  while (offset < end && bytes[offset] !== 0) {
    const field = bytes[offset]
    const terminator = bytes.indexOf(0, offset + 1)
    const stop = terminator === -1 || terminator >= end ? end : terminator
    const value = bytes.toString('utf8', offset + 1, stop)
    if (field === 0x43)
      code = value // 'C'
    else if (field === 0x56 || (field === 0x53 && severity === ''))
      severity = value // 'V', or 'S' before 9.6
    else if (field === 0x4d) message = value // 'M'
    offset = stop + 1
  }
  return { code, severity, message }
}
