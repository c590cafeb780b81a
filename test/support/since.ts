/** Tests of what only newer PostgreSQL versions have. */
import { test } from 'vitest'
import { postgresMajor } from './postgres.ts'

/**
 * `since(15, 'row filters')('…', async () => …)`: a test that runs from a major version on; on older ones it is
 * skipped, and the output says why.
 */
export function since(major: number, feature: string): typeof test | typeof test.skip {
  const current = postgresMajor()
  if (current >= major) return test
  process.stdout.write(`Skipped on PostgreSQL ${current}: ${feature}, which came with ${major}.\n`)
  return test.skip
}
