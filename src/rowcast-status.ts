/** Beside the spine. A moment of a rowcast, from what its parts say. */
import type { RegisterOptions } from './config/register-options.ts'
import type { RowcastError } from './errors.ts'
import type { RowcastStatus } from './rowcast-api.ts'
import type { SourceStatus } from './source/session/source-status.ts'

/** What the parts say beside the source. */
interface StatusParts extends Pick<RowcastStatus, 'subscriptions' | 'role' | 'broker'> {
  /** Models whose changes cannot be read. */
  readonly faults: ReadonlyMap<string, RowcastError>
  readonly registered: ReadonlyMap<string, RegisterOptions>
}

/** The status of the whole. */
export function rowcastStatus(
  status: SourceStatus,
  { faults, registered, ...rest }: StatusParts,
): RowcastStatus {
  const drifted = [...faults].flatMap(([model, error]) => {
    const isLeftOut = error.code === 'SOURCE_TABLE_NOT_REPLICABLE' && registered.get(model)?.optional === true
    return isLeftOut ? [] : [{ model, error }]
  })
  return {
    ...status,
    // Those that are left out bring no changes either. A tap's own registry has none: whose can be read, its gateways say.
    isReady: status.isReady && faults.size < registered.size,
    drifted,
    ...rest,
  }
}
