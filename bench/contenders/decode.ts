/** Captured messages in a file: length, bytes, length, bytes, … */
import { readFileSync } from 'node:fs'

/** What a contender of the decoding is asked. */
export interface DecodeRequest {
  readonly file: string
  /** How often the messages are read. */
  readonly passes: number
}

/** CPU time of all passes. */
export interface DecodeAnswer {
  readonly cpuMicros: number
  readonly changes: number
}

/** The messages as views on the file's bytes, the way a socket's chunk holds them. */
export function readMessages(file: string): Buffer[] {
  const bytes = readFileSync(file)
  const messages: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at)
    messages.push(bytes.subarray(at + 4, end))
    at = end
  }
  return messages
}

/** CPU time of `work`, of all threads of the process. */
export function measureCpu(work: () => number): DecodeAnswer {
  const before = process.cpuUsage()
  const changes = work()
  const { user, system } = process.cpuUsage(before)
  return { cpuMicros: user + system, changes }
}
