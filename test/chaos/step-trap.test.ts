/** Named steps, recognised in the bytes of both proxies, however these are cut into chunks. */
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { FrameCutter } from './postgres-frames.ts'
import { STEPS, type Step, StepTrap } from './step-trap.ts'

function frame(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const wal = (tag: string, body = Buffer.alloc(0)) =>
  frame('d', Buffer.concat([Buffer.from('w'), Buffer.alloc(24), Buffer.from(tag), body]))

function commit(endLsn: bigint): Buffer {
  const body = Buffer.alloc(25)
  body.writeBigUInt64BE(endLsn, 9)
  return wal('C', body)
}

function status(writtenLsn: bigint): Buffer {
  const body = Buffer.alloc(34)
  body.write('r', 'latin1')
  body.writeBigUInt64BE(writtenLsn, 1)
  return frame('d', body)
}

const STARTUP = Buffer.from([0, 0, 0, 8, 0, 3, 0, 0])
const BEGIN = wal('B')
const ROW = wal('I', Buffer.from('row'))
const FRAME = Buffer.from('\x81{"id":"1","type":"next","payload":{}}')

describe('FrameCutter', () => {
  it('finds the same messages however the bytes are cut', () => {
    const bytes = Buffer.concat([BEGIN, ROW, commit(77n), frame('Z', Buffer.from('I'))])
    for (let size = 1; size <= bytes.length; size += 1) {
      const cutter = new FrameCutter('toClient')
      const frames = []
      for (let start = 0; start < bytes.length; start += size)
        frames.push(...cutter.push(bytes.subarray(start, start + size)))
      expect(Buffer.concat(frames.map((each) => each.bytes)).equals(bytes)).toBe(true)
      expect(frames.map((each) => each.mark)).toEqual([
        { kind: 'begin' },
        { kind: 'row' },
        { kind: 'commit', endLsn: 77n },
        { kind: 'other' },
      ])
    }
  })

  it('takes the first message of a client for one without a type', () => {
    const frames = new FrameCutter('toServer').push(Buffer.concat([STARTUP, status(5n)]))
    expect(frames.map((each) => each.mark)).toEqual([{ kind: 'other' }, { kind: 'status', writtenLsn: 5n }])
  })
})

/** Sends one transaction, its report and its frame past an armed trap; what comes out, and when it was reached. */
function passTransaction(step: Step) {
  const trap = new StepTrap()
  const out: string[] = []
  const send = (name: string, bytes: Buffer, pass: (bytes: Buffer) => Buffer) => {
    const { length } = pass(bytes)
    out.push(length === bytes.length ? name : length === 0 ? `(${name})` : `half ${name}`)
  }
  const fromDatabase = (bytes: Buffer) => trap.databaseBytes(bytes, { connection: 1, direction: 'toClient' })
  const toDatabase = (bytes: Buffer) => trap.databaseBytes(bytes, { connection: 1, direction: 'toServer' })
  const toClient = (bytes: Buffer) => trap.clientBytes(bytes, { connection: 2, direction: 'toClient' })
  send('startup', STARTUP, toDatabase)
  send('early status', status(10n), toDatabase)
  trap.arm(step, () => out.push('REACHED'))
  send('begin', BEGIN, fromDatabase)
  send('row', ROW, fromDatabase)
  send('commit', commit(50n), fromDatabase)
  send('late status', status(49n), toDatabase)
  send('frame', FRAME, toClient)
  send('status', status(50n), toDatabase)
  send('more', BEGIN, fromDatabase)
  return out.slice(2)
}

describe('StepTrap', () => {
  const expected: Record<Step, string> = {
    'before decode': 'REACHED (begin) (row) (commit) late status frame status (more)',
    'after decode': 'begin row REACHED (commit) late status frame status (more)',
    'before publish': 'begin row REACHED commit late status frame status (more)',
    'after publish': 'begin row commit late status REACHED (frame) status more',
    'before acknowledge': 'begin row commit late status frame REACHED (status) more',
    'after acknowledge': 'begin row commit late status frame REACHED status more',
    'before send': 'begin row commit late status REACHED half frame status more',
    'after send': 'begin row commit late status REACHED frame status more',
  }
  it.each(STEPS)('%s: holds what it must and passes the rest', (step) => {
    expect(passTransaction(step).join(' ')).toBe(expected[step])
  })

  it('takes no heartbeat for a transaction of rows', () => {
    const trap = new StepTrap()
    let reached = 0
    trap.arm('after decode', () => (reached += 1))
    const flow = { connection: 1, direction: 'toClient' } as const
    trap.databaseBytes(Buffer.concat([BEGIN, wal('M'), commit(9n)]), flow)
    expect(reached).toBe(0)
    trap.databaseBytes(Buffer.concat([BEGIN, ROW, commit(10n)]), flow)
    expect(reached).toBe(1)
  })

  it('passes everything once it is disarmed, on new connections', () => {
    const trap = new StepTrap()
    trap.arm('before decode', () => {})
    const pass = (connection: number) =>
      trap.databaseBytes(BEGIN, { connection, direction: 'toClient' }).length
    expect(pass(1)).toBe(0)
    trap.disarm()
    expect([pass(1), pass(2)]).toEqual([0, BEGIN.length])
  })
})
