/** Beside the spine. What a rowcast says of itself at a moment. */
import type { Role } from './broker/broker-options.ts'
import type { BrokerStatus } from './broker/scaled-source.ts'
import type { RegisterOptions } from './config/register-options.ts'
import type { RowcastError } from './errors.ts'
import type { RelatedRowsCost } from './sets/related-request.ts'
import type { SetsBus } from './sets/sets-bus.ts'
import type { SourceStatus } from './source/session/source-status.ts'

/** A moment of a rowcast. */
export interface RowcastStatus extends SourceStatus {
  /** Models whose changes cannot be delivered at present, and why; all others are live. */
  readonly drifted: readonly DriftedModel[]
  readonly role: Role
  /** Null without a broker. */
  readonly broker: BrokerStatus | null
  /** Open subscriptions by model; models without one may be absent. */
  readonly subscriptions: ReadonlyMap<string, number>
}

/** A model whose table and the Prisma schema disagree, or that is not published. */
export interface DriftedModel {
  readonly model: string
  /** CATALOG_DRIFT, CATALOG_SOFT_DELETE_UNKNOWN, SOURCE_TABLE_NOT_PUBLISHED or another code of its kind, with what to run. */
  readonly error: RowcastError
}

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

/** What conditions on related rows hold, and have cost so far. */
export function relatedCost({ graph, reading }: Pick<SetsBus, 'graph' | 'reading'>): RelatedRowsCost {
  const { reads = 0, readMs = 0 } = reading.cost?.() ?? {}
  return { sets: graph?.size ?? 0, keys: graph?.kept ?? 0, reads, readMs }
}
