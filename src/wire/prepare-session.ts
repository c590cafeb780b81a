/** Stage 1, wire. The first that a replication connection is asked. */
import type pg from 'pg'
import { withAnswerDeadline } from './answer-deadline.ts'
import { driverSocket } from './driver-socket.ts'
import { computeLivenessTimings, type LivenessTimings, parseIntervalSetting } from './liveness.ts'
import { sessionSettingsSql } from './session-settings.ts'

/** Pins the session's settings, and asks for how long the server bears silence. */
export async function prepareSession(client: pg.Client, answerTimeoutMs: number): Promise<LivenessTimings> {
  const ask = <Row extends object>(text: string) =>
    withAnswerDeadline(client, answerTimeoutMs, () => client.query<Row>(text))
  try {
    await ask(sessionSettingsSql({ scope: 'session' }))
    const timeout = await ask<{ wal_sender_timeout: string }>('SHOW wal_sender_timeout')
    return computeLivenessTimings(parseIntervalSetting(timeout.rows[0]?.wal_sender_timeout ?? '0'))
  } catch (error) {
    // No goodbye: the link may swallow it.
    driverSocket(client).destroy()
    throw error
  }
}
