import { inject } from 'vitest'

/**
 * Address of this worker's PostgreSQL, as superuser, database `postgres`. One test file at a time has it: slots, roles, settings and
 * what `pg_stat_activity` shows are the file's own.
 */
export function sharedPostgresUrl(): string {
  const urls = inject('postgresUrls')
  // Vitest numbers the workers that run at the same time, from 1 on.
  const url = urls[Number(process.env['VITEST_POOL_ID']) - 1]
  if (url === undefined)
    throw new Error(`No PostgreSQL for worker ${process.env['VITEST_POOL_ID']} of ${urls.length}.`)
  return url
}
