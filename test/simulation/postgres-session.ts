/**
 * One session of the model of PostgreSQL: the frontend/backend protocol as far as rowcast speaks it, and the walsender.
 * Source: PostgreSQL manual, "Message Formats", "Streaming Replication Protocol".
 */
import { Buffer } from 'node:buffer'
import { type Answer, answer, quotedAfter, SqlError } from './catalog-answers.ts'
import type { Slot } from './database.ts'
import type { Link, ServerEnd } from './link.ts'
import type { Server } from './server.ts'
import { Walsender } from './walsender.ts'

const TERMINATE = 'X'
const MAKES_SLOT = 'pg_create_logical_replication_slot('
/** lock_timeout of who makes a slot, and how often it is looked whether it is made. */
const [LOCK_TIMEOUT_MS, LOOK_MS] = [5_000, 50]

/** A session. */
export class PostgresSession implements ServerEnd {
  readonly pid: number
  readonly link: Link
  readonly #server: Server
  #bytes: Buffer = Buffer.alloc(0)
  #isStarted = false
  #isOver = false
  #walsender: Walsender | null = null
  #parsed = ''
  #parameters: string[] = []
  /** After an error of the extended protocol, until Sync. */
  #isSkipping = false
  /** It makes a slot: it listens to nobody meanwhile. */
  #making: Slot | null = null
  /** What it has said and not sent. */
  #unsent: Buffer[] = []

  constructor(server: Server, link: Link, pid: number) {
    this.#server = server
    this.link = link
    this.pid = pid
  }

  take(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes])
    while (!this.#isOver && this.#making === null) {
      const header = this.#isStarted ? 5 : 4
      if (this.#bytes.length < header) return
      const length = this.#bytes.readUInt32BE(header - 4) + (header - 4)
      if (this.#bytes.length < length) return
      const message = this.#bytes.subarray(0, length)
      this.#bytes = this.#bytes.subarray(length)
      if (this.#isStarted) this.#takeMessage(String.fromCharCode(message[0] ?? 0), message.subarray(5))
      else this.#startUp()
    }
  }

  gone(): void {
    this.#end()
  }

  /** FATAL: the session is ended by an administrator. */
  terminate(): void {
    if (this.#making !== null) this.#forgetSlot(this.#making)
    if (this.#isOver) return
    this.#error('FATAL', '57P01', 'terminating connection due to administrator command')
    this.close()
  }

  /** Says nothing more. */
  close(): void {
    if (this.#isOver) return
    this.#flush()
    this.#end()
    this.link.fromServer(null)
  }

  /** As PostgreSQL does, which sends what it has said once it is ready for more. */
  #say(tag: string, ...parts: readonly Buffer[]): void {
    this.#unsent.push(frame(tag, parts))
  }

  #flush(): void {
    const said = this.#unsent
    if (this.#isOver || said.length === 0) return
    this.#unsent = []
    this.link.fromServer(said.length === 1 ? (said[0] as Buffer) : Buffer.concat(said))
  }

  #end(): void {
    this.#isOver = true
    this.#walsender?.stop()
    this.#server.forget(this)
  }

  #startUp(): void {
    this.#isStarted = true
    this.#say('R', int32(0))
    for (const [name, value] of [
      ['server_version', '18.0'],
      ['client_encoding', 'UTF8'],
      ['standard_conforming_strings', 'on'],
    ])
      this.#say('S', cstring(name ?? ''), cstring(value ?? ''))
    this.#say('K', int32(this.pid), int32(1))
    this.#ready()
  }

  #takeMessage(tag: string, body: Buffer): void {
    if (this.#walsender !== null) this.#takeFromReader(tag, body)
    else if (tag === TERMINATE) this.close()
    else if (tag === 'Q') this.#simple(cstringAt(body, 0))
    else if (tag === 'S') {
      this.#isSkipping = false
      this.#ready()
    } else if (!this.#isSkipping) this.#extended(tag, body)
  }

  #takeFromReader(tag: string, body: Buffer): void {
    if (tag === 'c') {
      this.#say('c')
      this.#say('C', cstring('COPY 0'))
      this.close()
    } else if (tag === 'd' && body[0] === 0x72) this.#walsender?.takeStatus(body)
    else if (tag === TERMINATE) this.close()
  }

  #simple(text: string): void {
    const start = /^START_REPLICATION SLOT "([^"]+)" LOGICAL (\w+)\/(\w+) \((.*)\)$/.exec(text)
    if (start !== null) {
      this.#startReplication(start)
      return
    }
    try {
      if (text.includes(MAKES_SLOT)) this.#makeSlot(text)
      else {
        this.#rows(this.#answer(text, []))
        this.#ready()
      }
    } catch (error) {
      this.#fail(error)
      this.#ready()
    }
  }

  #extended(tag: string, body: Buffer): void {
    try {
      if (tag === 'P') this.#parsed = cstringAt(body, cstringAt(body, 0).length + 1)
      else if (tag === 'B') this.#parameters = readParameters(body)
      else if (tag === 'E') this.#rows(this.#answer(this.#parsed, this.#parameters))
      if (tag === 'P') this.#say('1')
      if (tag === 'B') this.#say('2')
    } catch (error) {
      this.#isSkipping = true
      this.#fail(error)
    }
  }

  #answer(text: string, parameters: readonly string[]): Answer {
    const terminate = (pid: number): void => this.#server.terminate(pid)
    return answer(text, parameters, { database: this.#server.database, pid: this.pid, terminate })
  }

  #makeSlot(text: string): void {
    const { database } = this.#server
    const name = quotedAfter(text, 'slot(')
    if (database.slots.has(name)) throw new SqlError('42710', `replication slot "${name}" already exists`)
    const slot = database.beginSlot(name, this.pid)
    this.#making = slot
    this.#lookAtSlot(slot, { crashes: this.#server.crashes, startedMs: performance.now() })
  }

  /** Whoever asked for it may be gone: PostgreSQL goes on. */
  #lookAtSlot(slot: Slot, begun: { readonly crashes: number; readonly startedMs: number }): void {
    const { database, crashes } = this.#server
    if (this.#making === null || crashes !== begun.crashes) return
    database.lookAtSlot(slot)
    const isLate = performance.now() - begun.startedMs > LOCK_TIMEOUT_MS
    if (slot.making !== null && !isLate) {
      setTimeout(() => this.#lookAtSlot(slot, begun), LOOK_MS)
      return
    }
    this.#making = null
    if (slot.making === null) this.#rows([])
    else {
      this.#forgetSlot(slot)
      this.#error('ERROR', '55P03', 'canceling statement due to lock timeout')
    }
    this.#ready()
    this.take(Buffer.alloc(0))
  }

  #forgetSlot(slot: Slot): void {
    const { slots } = this.#server.database
    this.#making = null
    if (slots.get(slot.name) === slot) slots.delete(slot.name)
  }

  #startReplication([, name, high, low, options]: RegExpExecArray): void {
    const { database } = this.#server
    const slot = database.slots.get(name ?? '')
    if (slot === undefined || slot.activePid !== null) {
      if (slot === undefined) this.#refuse('42704', `replication slot "${name}" does not exist`)
      else this.#refuse('55006', `replication slot "${name}" is active for PID ${slot.activePid}`)
      return
    }
    if (slot.invalidation !== null) {
      this.#refuse('55000', `can no longer access replication slot "${name}"`)
      return
    }
    const asked = (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
    slot.activePid = this.pid
    this.#say('W', Buffer.from([0, 0, 0]))
    this.#flush()
    database.note(
      `  streams from ${asked.toString(16)}; the slot has confirmed ${slot.confirmedLsn.toString(16)}`,
    )
    const isBinary = (options ?? '').includes(`"binary" 'true'`)
    const startLsn = asked > slot.confirmedLsn ? asked : slot.confirmedLsn
    this.#walsender = new Walsender({ database, slot, session: this, startLsn, isBinary })
    this.#walsender.pump()
  }

  /** Something must never be. */
  onFault(error: unknown): void {
    this.#server.onFault(error)
  }

  /** The WAL has grown. */
  wake(): void {
    this.#walsender?.pump()
  }

  #refuse(sqlstate: string, message: string): void {
    this.#error('ERROR', sqlstate, message)
    this.#ready()
  }

  #fail(error: unknown): void {
    if (!(error instanceof SqlError)) {
      this.#server.onFault(error)
      this.#error('ERROR', 'XX000', String(error))
    } else this.#error('ERROR', error.sqlstate, error.message)
  }

  #error(severity: string, sqlstate: string, message: string): void {
    const fields = [`S${severity}`, `V${severity}`, `C${sqlstate}`, `M${message}`]
    this.#say('E', ...fields.map(cstring), Buffer.from([0]))
  }

  #ready(): void {
    this.#say('Z', Buffer.from('I'))
    this.#flush()
  }

  #rows(rows: Answer): void {
    const [first] = rows
    if (first !== undefined) {
      const names = Object.keys(first)
      this.#say('T', int16(names.length), ...names.map((name) => describeColumn(name, rows)))
      for (const row of rows) {
        this.#say('D', int16(names.length), ...names.map((name) => encodeValue(row[name])))
      }
    }
    this.#say('C', cstring(`SELECT ${rows.length}`))
  }

  /** A frame of the stream. */
  copyData(...parts: readonly Buffer[]): void {
    this.#say('d', ...parts)
    this.#flush()
  }
}

function frame(tag: string, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4)
  const bytes = Buffer.allocUnsafe(length + 1)
  bytes[0] = tag.charCodeAt(0)
  bytes.writeInt32BE(length, 1)
  let at = 5
  for (const part of parts) at += part.copy(bytes, at)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}

function cstringAt(bytes: Buffer, from: number): string {
  return bytes.toString('utf8', from, bytes.indexOf(0, from))
}

function readParameters(body: Buffer): string[] {
  let offset = body.indexOf(0) + 1
  offset = body.indexOf(0, offset) + 1
  offset += 2 + 2 * body.readInt16BE(offset)
  const count = body.readInt16BE(offset)
  offset += 2
  return Array.from({ length: count }, () => {
    const length = body.readInt32BE(offset)
    const value = body.toString('utf8', offset + 4, offset + 4 + length)
    offset += 4 + length
    return value
  })
}

function describeColumn(name: string, rows: Answer): Buffer {
  const value = rows.map((row) => row[name]).find((each) => each !== null)
  const size = Buffer.alloc(18)
  size.writeInt32BE(oidOf(value), 6)
  return Buffer.concat([cstring(name), size])
}

const [BOOL, INT4, TEXT, JSONB, TEXT_ARRAY] = [16, 23, 25, 3802, 1009]

function oidOf(value: unknown): number {
  if (typeof value === 'boolean') return BOOL
  if (typeof value === 'number') return INT4
  if (isTextArray(value)) return TEXT_ARRAY
  return typeof value === 'object' && value !== null ? JSONB : TEXT
}

/** One of objects is jsonb. */
function isTextArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function encodeValue(value: unknown): Buffer {
  if (value === null || value === undefined) return int32(-1)
  const text = Buffer.from(formatValue(value))
  return Buffer.concat([int32(text.length), text])
}

function formatValue(value: unknown): string {
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (isTextArray(value)) return `{${value.join(',')}}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
