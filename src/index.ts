/** rowcast: PostgreSQL's change stream as live, typed models. The public face of the library. */
export type {
  EnumSpec,
  FieldSpec,
  JoinTableSpec,
  ModelCatalog,
  ModelSpec,
  ModelTypeMap,
  ModelTypes,
  RelationSpec,
  ScalarType,
} from './catalog/model-catalog.ts'
export type {
  Change,
  ChangeAction,
  DeleteChange,
  InsertChange,
  TransactionInfo,
  TruncateChange,
  UpdateChange,
} from './changes/change.ts'
export {
  type DevConfig,
  defineConfig,
  type ModelConfig,
  type ServiceConfig,
  type ServicePrismaClient,
} from './config.ts'
export {
  ERRORS,
  type ErrorCode,
  type ErrorEntry,
  isRowcastError,
  type Retry,
  RowcastError,
} from './errors.ts'
export { type LogFields, type Logger, silentLogger } from './log.ts'
export {
  createRowcast,
  type ModelNameOf,
  type Rowcast,
  type RowcastOptions,
  type SubscribeOptions,
} from './rowcast.ts'
export type { SourceStatus } from './source/replication-source.ts'
export type { SetupStep } from './source/setup-plan.ts'
export { formatLsn, type Lsn, parseLsn } from './wire/lsn.ts'
