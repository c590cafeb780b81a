/**
 * Stage 5, source. What a database address asks for to be protected with, beyond what the driver reads: libpq knows these parameters, and the driver
 * passes over them in silence. A protection that is asked for is given, or the address is refused.
 * Source: PostgreSQL manual, "Parameter Key Words" of libpq.
 */
import { readFileSync } from 'node:fs'
import type { DriverTarget } from '../../wire/driver-target.ts'

/** What is asked for, or why that cannot be. */
export type AddressSecurity =
  | { readonly channelBinding: DriverTarget['channelBinding']; readonly crl: string | null }
  | { readonly fault: string }

/** What stands behind the first question mark, as the driver reads it. */
export function addressParameters(address: string): URLSearchParams {
  const at = address.indexOf('?')
  return new URLSearchParams(at < 0 ? '' : address.slice(at + 1))
}

/** Protections that nobody here gives. */
const NOT_GIVEN: readonly string[] = [
  'require_auth',
  'requirepeer',
  'sslcrldir',
  'gssencmode',
  'ssl_min_protocol_version',
]
/** With these values they ask for nothing; Node.js takes no version of TLS before 1.2. */
const HARMLESS: ReadonlySet<string> = new Set(['', 'disable', 'prefer', 'tlsv1', 'tlsv1.1', 'tlsv1.2'])

/** Reads them. `address` is null where the configuration has none. */
export function readAddressSecurity(
  address: string | null,
  env: Readonly<Record<string, string | undefined>> = process.env,
): AddressSecurity {
  const parameters = addressParameters(address ?? '')
  const isAsked = (name: string) =>
    parameters.getAll(name).some((value) => !HARMLESS.has(value.toLowerCase()))
  const notGiven = NOT_GIVEN.find(isAsked)
  if (notGiven !== undefined) return { fault: `It asks for ${notGiven}, which the driver does not know.` }
  const binding = parameters.get('channel_binding') ?? env['PGCHANNELBINDING'] ?? ''
  if (!isChannelBinding(binding))
    return { fault: 'Its channel_binding is not one of disable, prefer and require.' }
  const channelBinding = binding === '' ? undefined : binding
  const crlFile = parameters.get('sslcrl') ?? ''
  if (crlFile === '') return { channelBinding, crl: null }
  try {
    return { channelBinding, crl: readFileSync(crlFile, 'utf8') }
  } catch {
    return { fault: 'The file of its sslcrl cannot be read.' }
  }
}

function isChannelBinding(text: string): text is '' | 'disable' | 'prefer' | 'require' {
  return text === '' || text === 'disable' || text === 'prefer' || text === 'require'
}
