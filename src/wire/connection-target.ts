/** Stage 1, wire. Where PostgreSQL is and who we are there, in the driver's own words. */
import type { ClientConfig } from 'pg'

/** What the driver needs to connect; everything else of its configuration is ours to set. */
export type ConnectionTarget = Pick<
  ClientConfig,
  'host' | 'port' | 'user' | 'password' | 'database' | 'ssl' | 'connectionString'
>
