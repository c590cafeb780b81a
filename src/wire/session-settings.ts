/**
 * Stage 1, wire. The settings every connection of ours runs under, whatever the server, the database or the role has as
 * its default: the text form of a value depends on them, and so does whether a statement gets through at all.
 * Source: PostgreSQL manual, "Client Connection Defaults".
 */
import { quoteLiteral } from './quote.ts'

/** Setting → value. */
export const PINNED_SESSION_SETTINGS: Readonly<Record<string, string>> = {
  // What bounds our statements is our own deadline.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  // What stage 3's text parsers rely on.
  client_encoding: 'UTF8',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  /** Any value above 0: floats in the shortest form that reads back as the same float. */
  extra_float_digits: '3',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  /** `-$1,234.56`: money with its sign first and two digits after the point. */
  lc_monetary: 'C',
  // What our own SQL relies on.
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  transform_null_equals: 'off',
  array_nulls: 'on',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  default_transaction_isolation: 'read committed',
  /** Of a catalog without statistics the planner expects the worst: compiling a statement of ours takes seconds, running it milliseconds. */
  jit: 'off',
  /** The decoder's warnings are the only news of a publication that is gone. */
  client_min_messages: 'warning',
}

/** Settings that only newer versions have: a time-out of transactions ends the decoding of a large one (17 and later). */
const NEWER_SETTINGS: Readonly<Record<string, string>> = { transaction_timeout: '0' }

/** Nobody's function, operator or table comes before PostgreSQL's own: a temporary table would, unless it is named last. */
export const CATALOG_SEARCH_PATH = 'pg_catalog, pg_temp'

/** Which settings, and for how long. */
export interface SettingsRequest {
  /**
   * `session`: until the connection ends. `transaction`: until the transaction ends, so that behind a pooler nothing stays
   * on a session that the application gets next.
   */
  readonly scope: 'session' | 'transaction'
  /** Null leaves the role's. @default CATALOG_SEARCH_PATH */
  readonly searchPath?: string | null | undefined
  /** Instead of the pinned ones. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * Sets them; the role's own time-out first, which the others would run into. Not start-up options: poolers refuse those, or drop
 * them without a word. Every name in it is qualified, because it runs under the role's own search_path.
 */
export function sessionSettingsSql(request: SettingsRequest): string {
  const { scope, searchPath = CATALOG_SEARCH_PATH, settings = {} } = request
  const set = ([name, value]: readonly [string, string]) =>
    `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, ${scope === 'transaction'})`
  const pinned = Object.entries({ ...PINNED_SESSION_SETTINGS, ...settings })
  const path = searchPath === null ? [] : [['search_path', searchPath] as const]
  const newer = Object.entries(NEWER_SETTINGS).map(
    ([name, value]) =>
      `(SELECT ${set([name, value])} WHERE pg_catalog.current_setting(${quoteLiteral(name)}, true) IS NOT NULL)`,
  )
  const first = `SET ${scope === 'transaction' ? 'LOCAL' : 'SESSION'} statement_timeout = 0`
  return `${first}; SELECT ${[...[...pinned, ...path].map(set), ...newer].join(', ')}`
}
