/**
 * Stage 1, wire. Every answer of a server has a deadline: a link that swallows what is sent looks like a server that thinks.
 */
import type pg from 'pg'
import { RowcastError } from '../errors.ts'
import { withinTime } from '../within-time.ts'
import { driverSocket } from './driver-socket.ts'

/**
 * Asks, and gives the connection up where no answer comes in time: what it was asked may still happen, so that nothing
 * else can be asked of it. Null waits for ever.
 * @throws WIRE_ANSWER_TIMEOUT, or what `ask` rejects with
 */
export async function withAnswerDeadline<Answer>(
  client: pg.Client,
  deadlineMs: number | null,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  if (deadlineMs === null) return ask()
  let isTimedOut = false
  const timer = setTimeout(() => {
    isTimedOut = true
    driverSocket(client).destroy()
  }, deadlineMs)
  try {
    return await ask()
  } catch (error) {
    throw isTimedOut ? answerTimeout(deadlineMs) : error
  } finally {
    clearTimeout(timer)
  }
}

/** The error that says so. */
export function answerTimeout(deadlineMs: number): RowcastError {
  return new RowcastError('WIRE_ANSWER_TIMEOUT', `PostgreSQL did not answer within ${deadlineMs} ms.`)
}

/**
 * Waits so long for an answer of a connection that is somebody else's and cannot be ended, as one of the application's pool.
 * @throws WIRE_ANSWER_TIMEOUT, or what `answer` rejects with
 */
export async function withinAnswerTime<Answer>(answer: Promise<Answer>, deadlineMs: number): Promise<Answer> {
  return withinTime(answer, deadlineMs, () => answerTimeout(deadlineMs))
}
