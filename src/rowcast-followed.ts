/** Beside the spine. Models that are published for what depends on them, in the face of the library. Types only. */
import type { Where } from './bus/filter/where-type.ts'
import type { ModelTypeMap } from './catalog/model-catalog.ts'
import type { RegisterOptions } from './config/register-options.ts'
import type { SessionRows, SessionsOptions } from './sets/session-rows.ts'

/** That part of the face. */
export interface FollowedModels<Types extends ModelTypeMap> {
  /**
   * Publishes a model, with whole old rows, and makes it live for nobody: what policies and `where` follow relations to. It need not be
   * in GraphQL. One that is live stays so. Before `start()`.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_REGISTERED_TOO_LATE, CATALOG_BAD_SOFT_DELETE, CATALOG_REGISTERED_TWICE with another `softDelete`
   */
  follow<M extends keyof Types & string>(
    model: M,
    options?: Pick<RegisterOptions<Types[M]['row']>, 'softDelete' | 'optional'>,
  ): this
  /**
   * The same for the join table of an implicit many-to-many, `_PostToTag`: nobody can subscribe to it.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_REGISTERED_TOO_LATE
   */
  follow(joinTable: `_${string}`): this
  /** Whether changes of a model, or of a join table, come, be it live or followed. */
  isPublished(name: string): boolean
  /**
   * Sessions that are rows, for `createServer({ sessions })`: a client whose row is deleted, or is no longer what `of` describes, is
   * disconnected before anything that committed later is delivered. Follows the model. Before `start()`.
   * @throws CATALOG_UNKNOWN_MODEL, CATALOG_REGISTERED_TOO_LATE, CATALOG_BAD_POLICY for a model without a primary key
   */
  followSessions<M extends keyof Types & string>(
    options: SessionsOptions<M, Where<Types[M]['row']>>,
  ): SessionRows
}
