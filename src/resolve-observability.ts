/** The part of the config file that says who may see how the service is doing. */
import type { Config } from './config.ts'
import { type Faults, isFields } from './config-faults.ts'
import { bearerGuard, type MetricsGuard } from './server/metrics-endpoint.ts'

const METRICS_MEND =
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
    faults.add('CONFIG_BAD_FIELD', '`metrics` cannot be used.', METRICS_MEND)
  }
  if (token !== undefined) return { authorize: bearerGuard(token) }
  if (isProduction && value === true) {
    faults.add('CONFIG_BAD_FIELD', '`metrics` is on in production and open to everybody.', METRICS_MEND)
  }
  return { authorize: null }
}
