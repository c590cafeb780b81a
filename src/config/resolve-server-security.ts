/** The part of the config file that says who may use the server, and how much of it. */

import { DEFAULT_LIMITS, type ServerLimits } from '../server/limits/limits.ts'
import type { ServerSecurity } from '../server/limits/server-security.ts'
import { type Faults, type Fields, isFields } from './config-faults.ts'

/** Names of the fields read here. */
export const SECURITY_FIELDS: readonly (keyof ServerSecurity)[] = [
  ...(['context', 'limits', 'allowedOrigins', 'allowCredentials', 'introspection'] as const),
  'trustedProxyCount',
  'allowedHosts',
]

/** What else decides. */
export interface SecurityCircumstances {
  readonly graphiql: boolean
  readonly isProduction: boolean
  /** TRUSTED_PROXY_COUNT; it counts before the file. */
  readonly trustedProxyCount: string | undefined
}

/** Reads the fields; faults are noted. The schema can be read in development, and wherever GraphiQL is on. */
export function readServerSecurity(
  fields: Fields,
  { graphiql, isProduction, trustedProxyCount }: SecurityCircumstances,
  faults: Faults,
): ServerSecurity {
  const allowedOrigins = readOrigins(fields['allowedOrigins'], faults)
  const allowCredentials = readSwitch(fields, 'allowCredentials', false, faults)
  if (allowCredentials && allowedOrigins.includes('*')) {
    faults.add(
      'CONFIG_BAD_FIELD',
      '`allowCredentials` would let every page of the web use the cookies of your visitors.',
      'Name the origins in `allowedOrigins` instead of "*".',
    )
  }
  return {
    context: readContext(fields, faults),
    limits: readLimits(fields['limits'], faults),
    allowedOrigins,
    allowCredentials,
    introspection: readSwitch(fields, 'introspection', graphiql || !isProduction, faults),
    trustedProxyCount: readProxyCount(trustedProxyCount ?? fields['trustedProxyCount'], faults),
    allowedHosts: readHosts(fields['allowedHosts'], faults),
  }
}

function readContext(fields: Fields, faults: Faults): ServerSecurity['context'] {
  const { context } = fields as { readonly context?: unknown }
  if (context === undefined) return undefined
  if (typeof context === 'function') return context.bind(fields) as ServerSecurity['context']
  faults.add('CONFIG_BAD_FIELD', '`context` is not a function.')
  return undefined
}

function readLimits(value: unknown, faults: Faults): Partial<ServerLimits> {
  if (value === undefined) return {}
  if (!isFields(value)) {
    faults.add('CONFIG_BAD_FIELD', '`limits` is not an object.')
    return {}
  }
  faults.addUnknownFields(value, Object.keys(DEFAULT_LIMITS), '`limits`')
  for (const [name, limit] of Object.entries(value)) {
    const max = name === 'ipv6PrefixLength' ? 128 : COUNT_MAX
    if (limit === undefined || (isCount(limit, 1) && limit <= max)) continue
    faults.add('CONFIG_BAD_FIELD', `\`limits.${name}\` is not a whole number from 1 to ${max}.`)
  }
  return value
}

function readOrigins(value: unknown, faults: Faults): readonly string[] {
  if (value === undefined) return []
  const origins: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const origin of origins.filter((each) => !isOrigin(each))) {
    faults.add(
      'CONFIG_BAD_FIELD',
      `\`allowedOrigins\` has ${JSON.stringify(origin)}, which is no origin.`,
      'Write scheme, host and port only, as in "https://app.example.com".',
    )
  }
  return origins.map(String)
}

function isOrigin(value: unknown): boolean {
  if (value === '*') return true
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value.toLowerCase()
}

function readSwitch(fields: Fields, name: string, fallback: boolean, faults: Faults): boolean {
  const value = fields[name]
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') faults.add('CONFIG_BAD_FIELD', `\`${name}\` is neither true nor false.`)
  return value === true
}

function readProxyCount(value: unknown, faults: Faults): number {
  if (value === undefined) return 0
  const count = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value
  if (isCount(count, 0)) return count
  faults.add('CONFIG_BAD_FIELD', `\`trustedProxyCount\` is not a whole number from 0 to ${COUNT_MAX}.`)
  return 0
}

function readHosts(value: unknown, faults: Faults): readonly string[] | undefined {
  if (value === undefined) return undefined
  const hosts: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const host of hosts.filter((each) => !isHost(each))) {
    faults.add(
      'CONFIG_BAD_FIELD',
      `\`allowedHosts\` has ${JSON.stringify(host)}, which is no name of a host.`,
      'Write the name alone, as in "app.example.com", ".example.com" for all names below it, or "*" for all.',
    )
  }
  return hosts.map(String)
}

function isHost(value: unknown): boolean {
  if (value === '*') return true
  const name = typeof value === 'string' && value.startsWith('.') ? value.slice(1) : value
  if (typeof name !== 'string' || name === '') return false
  return URL.canParse(`http://${name}`) && new URL(`http://${name}`).hostname === name.toLowerCase()
}

/** The longest interval a timer keeps, and more than anybody needs of anything else. */
const COUNT_MAX = 2_147_483_647

function isCount(value: unknown, min: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= COUNT_MAX
}
