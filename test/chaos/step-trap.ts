/**
 * Stops the world at a named step of a change's way, seen from outside: it watches the bytes that the two proxies
 * carry, to and from PostgreSQL and to the clients, holds them at the step and says so. Nothing in rowcast knows.
 */
import { Buffer } from 'node:buffer'
import type { ProxyFlow } from '../support/tcp-proxy.ts'
import { type Frame, FrameCutter } from './postgres-frames.ts'

/** The steps at which rowcast is killed. */
export const STEPS = [
  /** A transaction's Begin is held: nothing of it has arrived. */
  'before decode',
  /** Its rows have arrived, its Commit is held. */
  'after decode',
  /** Its Commit has just been handed to rowcast's socket. */
  'before publish',
  /** Its first frame to a client has left rowcast and is held. */
  'after publish',
  /** The report that it was delivered has left rowcast and is held. */
  'before acknowledge',
  /** PostgreSQL has that report. */
  'after acknowledge',
  /** A client has half of a frame. */
  'before send',
  /** A client has the frame. */
  'after send',
] as const
export type Step = (typeof STEPS)[number]

const NOTHING = Buffer.alloc(0)
/** In a `next` of graphql-ws, and in an event of GraphQL over SSE. */
const CLIENT_FRAME = /"type":"next"|event: next/

/** What is armed, and how far it is. */
interface Armed {
  readonly step: Step
  readonly onReached: () => void
  rowsSeen: boolean
  /** Set once the transaction has been let through: the report or frame that follows it is the one. */
  committedEndLsn: bigint | null
  isReached: boolean
}

/** One trap for one rowcast process. */
export class StepTrap {
  #armed: Armed | null = null
  readonly #cutters = new Map<string, FrameCutter>()
  /** Flows that are held: nothing goes on there any more, the process at their end is dead. */
  readonly #held = new Set<string>()

  /** Waits for the step; `onReached` is called at once when it is reached, and the flow is held from there. */
  arm(step: Step, onReached: () => void): void {
    this.#armed = { step, onReached, rowsSeen: false, committedEndLsn: null, isReached: false }
  }

  /** Forgets the step; later connections pass freely. */
  disarm(): void {
    this.#armed = null
  }

  /** For the proxy between rowcast and PostgreSQL. */
  readonly databaseBytes = (bytes: Buffer, flow: ProxyFlow): Buffer => {
    const key = `database ${flow.connection} ${flow.direction}`
    let cutter = this.#cutters.get(key)
    if (cutter === undefined) {
      cutter = new FrameCutter(flow.direction)
      this.#cutters.set(key, cutter)
    }
    const frames = cutter.push(bytes)
    if (this.#held.has(key)) return NOTHING
    const passing: Buffer[] = []
    for (const frame of frames) {
      const verdict = this.#judge(frame)
      if (verdict !== 'hold') passing.push(frame.bytes)
      if (verdict === 'pass') continue
      this.#held.add(key)
      break
    }
    return passing.length === 1 ? (passing[0] ?? NOTHING) : Buffer.concat(passing)
  }

  /** For the proxy between clients and rowcast. */
  readonly clientBytes = (bytes: Buffer, flow: ProxyFlow): Buffer => {
    const armed = this.#armed
    const key = `client ${flow.connection} ${flow.direction}`
    if (this.#held.has(key)) return NOTHING
    if (flow.direction === 'toServer' || armed === null) return bytes
    const isDue = isClientStepDue(armed) && CLIENT_FRAME.test(bytes.toString('latin1'))
    if (!isDue) return bytes
    this.#held.add(key)
    this.#reach(armed, undefined)
    if (armed.step === 'after send') return bytes
    return armed.step === 'before send' ? bytes.subarray(0, bytes.length >> 1) : NOTHING
  }

  /** What a message does to the trap: it passes, is held with all that follows, or is the last to pass. */
  #judge({ mark }: Frame): 'pass' | 'hold' | 'last' {
    const armed = this.#armed
    if (armed === null || armed.isReached) return 'pass'
    const { step } = armed
    if (mark.kind === 'begin') {
      armed.rowsSeen = false
      // The trap may be armed in the middle of a transaction; this is a beginning for certain.
      if (step === 'before decode') return this.#reach(armed, 'hold')
    }
    if (mark.kind === 'row') armed.rowsSeen = true
    if (mark.kind === 'commit' && armed.rowsSeen) {
      if (step === 'after decode') return this.#reach(armed, 'hold')
      if (step === 'before publish') return this.#reach(armed, 'last')
      armed.committedEndLsn ??= mark.endLsn
    }
    if (
      mark.kind === 'status' &&
      armed.committedEndLsn !== null &&
      mark.writtenLsn >= armed.committedEndLsn
    ) {
      if (step === 'before acknowledge') return this.#reach(armed, 'hold')
      if (step === 'after acknowledge') return this.#reach(armed, 'last')
    }
    return 'pass'
  }

  #reach<V>(armed: Armed, verdict: V): V {
    armed.isReached = true
    armed.onReached()
    return verdict
  }
}

function isClientStepDue({ step, committedEndLsn, isReached }: Armed): boolean {
  if (isReached) return false
  if (step === 'after publish') return committedEndLsn !== null
  return step === 'before send' || step === 'after send'
}
