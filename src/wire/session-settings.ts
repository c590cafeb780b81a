/**
 * Stage 1, wire. The settings every session of ours runs under, whatever the server, the database or the role
 * has as its default: the text form of a value depends on them.
 * Source: PostgreSQL manual, "Client Connection Defaults".
 */

/** Setting → value; what stage 3's text parsers rely on. */
export const PINNED_SESSION_SETTINGS = {
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
} as const
