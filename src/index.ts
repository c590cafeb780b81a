/** rowcast: PostgreSQL's change stream as live, typed models. The public face of the library. */

export type { BrokerOption, RedisBrokerOptions, Role, ScalingOptions } from './broker/broker-options.ts'
export type { BrokerStatus } from './broker/scaled-source.ts'
export type { Backlog, OverflowPolicy } from './bus/bus.ts'
export type { BusObserver, DropReason } from './bus/bus-observer.ts'
export type { Explanation, ExplanationStage, ExplanationStep } from './bus/explanation.ts'
export type { RelatedWhere } from './bus/filter/related-where-type.ts'
export type { Where } from './bus/filter/where-type.ts'
export type { MessageRequest } from './bus/message-hub.ts'
export type {
  EnumSpec,
  EnumValueSpec,
  FieldSpec,
  JoinTableSpec,
  ModelCatalog,
  ModelSpec,
  ModelTypeMap,
  ModelTypes,
  RelationSpec,
  ScalarType,
} from './catalog/model-catalog.ts'
export type { Decimal, JsonValue } from './catalog/prisma-runtime.ts'
export {
  explainUnrepresentable,
  type UnrepresentableReason,
  UnrepresentableValue,
} from './catalog/values/unrepresentable-value.ts'
export type {
  Change,
  ChangeAction,
  DeleteChange,
  InsertChange,
  RowOperation,
  TransactionInfo,
  TransactionPart,
  TruncateChange,
  UpdateChange,
} from './changes/change.ts'
export type { EmittedMessage } from './changes/emitted-message.ts'
export type { TransactionMetadata } from './changes/transaction-metadata.ts'
export {
  type DebugConfig,
  type DevConfig,
  defineConfig,
  defineSources,
  type LivePageConfig,
  type MetricsConfig,
  type ModelConfig,
  type ServiceConfig,
  type ServicePrismaClient,
  type SourceConfig,
  type SourceOption,
  type SourcesConfig,
} from './config/config.ts'
export type { RegisterOptions } from './config/register-options.ts'
export {
  ERRORS,
  type ErrorCode,
  type ErrorEntry,
  isRowcastError,
  type Retry,
  RowcastError,
} from './errors.ts'
export {
  type ChangeSource,
  type ChangeSources,
  type JoinedClient,
  joinSources,
} from './graphql/joined-sources.ts'
export type { MetadataExposure, MetadataType } from './graphql/policy/metadata-view.ts'
export type { ModelPolicy, RowsRule } from './graphql/policy/model-policy.ts'
export type { MakeSchema, SchemaLike, SchemaParts } from './graphql/schema-parts.ts'
export { type LogFields, type Logger, silentLogger } from './logger.ts'
export type { MetadataResult, MetadataSchema } from './metadata-schema.ts'
export { createMetrics, type Metrics } from './observe/metrics.ts'
export {
  createRowcast,
  type DriftedModel,
  type ModelNameOf,
  type Rowcast,
  type RowcastOptions,
  type RowcastStatus,
  type StopOptions,
  type SubscribeOptions,
  type WhyOptions,
} from './rowcast.ts'
export type {
  SeveralOptions,
  TransactionSelection,
  WantsRows,
} from './rowcast-api.ts'
export type {
  ListOrder,
  ListPatch,
  ListRowOperation,
  ListSnapshot,
  LiveLists,
  LiveRowsOptions,
  Totals,
  TotalsOptions,
} from './rowcast-lists-api.ts'
export {
  type MetadataExtension,
  type RowcastMetadataOptions,
  rowcastMetadata,
} from './rowcast-metadata.ts'
export type { TransactionChanges } from './rowcast-transactions-api.ts'
export type { ServerLimits } from './server/limits/limits.ts'
export type { ServerSecurity } from './server/limits/server-security.ts'
export type { ContextFunction, ContextSource, Session } from './server/session/context.ts'
export type { FirstRow, InitialRows, ReadRow, ReadyMarker } from './sets/first-row.ts'
export type { KeptSetsCost } from './sets/kept-sets.ts'
export type { ListBounds, ListCostOptions } from './sets/list-bounds.ts'
export type { ListOperationKind } from './sets/list-operations.ts'
export type {
  HeardChanges,
  IncludableRelation,
  IncludedChange,
  IncludedRead,
  IncludeOptions,
  MovedRead,
  RelatedChange,
  RelatedOptions,
  RelatedRowChange,
  WrittenChange,
} from './sets/related-change.ts'
export type { RelatedRowsCost } from './sets/related-request.ts'
export type { RelatedRowsBounds, RelatedRowsOptions } from './sets/related-rows-options.ts'
export type { ConnectionOptions } from './source/db/database-address.ts'
export type { DurabilityOptions, WireOptions } from './source/durability-options.ts'
export type { SourcePositions } from './source/session/ack-state.ts'
export type { SourceState } from './source/session/lifecycle.ts'
export type { SlotHealth, SourceStatus } from './source/session/source-status.ts'
export type { SetupStep } from './source/setup/setup-plan.ts'
export { formatLsn, type Lsn, parseLsn } from './wire/lsn.ts'
