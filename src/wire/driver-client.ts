/**
 * Stage 1, wire. Clients of the driver, whose passwords are bound to the TLS channel where that is asked for: who sits in between and ends TLS
 * himself can then not pass the proof of the password on. Source: RFC 5929 (tls-server-end-point), libpq's `channel_binding`.
 */
import pg from 'pg'
import { RowcastError } from '../errors.ts'
import { driverEvents } from './driver-socket.ts'
import type { DriverTarget } from './driver-target.ts'

const BOUND_MECHANISM = 'SCRAM-SHA-256-PLUS'

/** A client that has not connected. */
export function createDriverClient(config: pg.ClientConfig, { channelBinding }: DriverTarget): pg.Client {
  const isAsked = channelBinding === 'prefer' || channelBinding === 'require'
  const client = new pg.Client(isAsked ? { ...config, enableChannelBinding: true } : config)
  if (channelBinding === 'require') refuseUnbound(client)
  return client
}

/**
 * The driver takes the binding where it is offered, and goes on without. Here whatever else the server asks for ends the session, before the password or a
 * proof of it is sent: these listeners stand before the driver's own, and nothing is written to a destroyed socket.
 */
function refuseUnbound(client: pg.Client): void {
  const events = driverEvents(client)
  let isProven = false
  const refuse = (happened: string): void => events.fail(new RowcastError('SOURCE_CHANNEL_UNBOUND', happened))
  events.when('authenticationCleartextPassword', () => refuse('The server asks for the password itself.'))
  events.when('authenticationMD5Password', () => refuse('The server asks for the MD5 hash of the password.'))
  events.when('authenticationSASL', ({ mechanisms = [] }) => {
    if (!mechanisms.includes(BOUND_MECHANISM)) refuse(`The server offers ${mechanisms.join(', ')} alone.`)
  })
  // The driver checks the server's signature in it, and fails where it is wrong.
  events.when('authenticationSASLFinal', () => {
    isProven = true
  })
  events.when('authenticationOk', () => {
    if (!isProven) refuse('The server lets the user in without proof that it knows the password.')
  })
}
