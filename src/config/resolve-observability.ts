/** The part of the config file that says who may see how the service is doing, and why a change did not come. */

import type { Authorize } from '../graphql/activity/activity-log.ts'
import { bearerGuard, type MetricsGuard } from '../server/health/metrics-endpoint.ts'
import type { Config } from './config.ts'
import { type Faults, isFields } from './config-faults.ts'

const METRICS_HINT =
  'Set METRICS_TOKEN, or write metrics: true, false or { authorize: ({ headers, remoteAddress }) => … }.'

/** Reads `metrics`. Where nothing is said a token turns them on, and a developer's machine has them anyway. */
export function readMetrics(
  value: unknown,
  token: string | undefined,
  isProduction: boolean,
  faults: Faults,
): Config['metrics'] {
  if (value === false || (value === undefined && isProduction && token === undefined)) return null
  const authorize = isFields(value) ? value['authorize'] : null
  if (typeof authorize === 'function') return { authorize: authorize.bind(value) as MetricsGuard }
  if (value !== true && value !== undefined) {
    faults.add('CONFIG_BAD_FIELD', '`metrics` cannot be used.', METRICS_HINT)
  }
  if (token !== undefined) return { authorize: bearerGuard(token) }
  if (isProduction && value === true) {
    faults.add('CONFIG_BAD_FIELD', '`metrics` is on in production and open to everybody.', METRICS_HINT)
  }
  return { authorize: null }
}

/** Reads `debug`. */
export function readDebug(value: unknown, faults: Faults): Authorize | null {
  if (value === undefined) return null
  const canExplain = isFields(value) ? value['canExplain'] : undefined
  if (typeof canExplain === 'function') return canExplain.bind(value) as Authorize
  faults.add('CONFIG_BAD_FIELD', '`debug` cannot be used.', 'Write debug: { canExplain: (context) => … }.')
  return null
}
