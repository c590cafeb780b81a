/** Stage 1, wire. The first that a replication connection is asked. */
import type pg from 'pg'
import { withAnswerDeadline } from './answer-deadline.ts'
import { driverSocket } from './driver-socket.ts'
import { computeLivenessTimings, type LivenessTimings, parseIntervalSetting } from './liveness.ts'
import { sessionSettingsSql } from './session-settings.ts'

/** What a session says of itself. */
export interface PreparedSession {
  readonly timings: LivenessTimings
  /** Process id of the walsender, by itself: what is announced at the start may be a pooler's, or a proxy's, made up. */
  readonly serverPid: number
}

/** Pins the session's settings, and asks for how long the server bears silence, and whom we talk to. */
export async function prepareSession(client: pg.Client, answerTimeoutMs: number): Promise<PreparedSession> {
  const ask = <Row extends object>(text: string) =>
    withAnswerDeadline(client, answerTimeoutMs, () => client.query<Row>(text))
  try {
    await ask(sessionSettingsSql({ scope: 'session' }))
    const [session] = (await ask<{ pid: number; timeout: string }>(SESSION_SQL)).rows
    return {
      timings: computeLivenessTimings(parseIntervalSetting(session?.timeout ?? '0')),
      serverPid: session?.pid ?? 0,
    }
  } catch (error) {
    // No goodbye: the link may swallow it.
    driverSocket(client).destroy()
    throw error
  }
}

const SESSION_SQL = `SELECT pg_backend_pid() AS "pid", current_setting('wal_sender_timeout') AS "timeout"`
