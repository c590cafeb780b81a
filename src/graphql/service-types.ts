/** Stage 7, graphql. What the service's schema is built from, and its builder, whose models are known at run time only. */
import type { PrismaModelTypes } from '@pothos/plugin-prisma'
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import type { ChangeFeed } from './change-feed.ts'
import type { ModelFieldNames } from './names.ts'
import type { PrismaClientLike } from './prisma-delegate.ts'

/** How one model is exposed. */
export interface ModelExposure {
  /** Fields and relations that never reach GraphQL, beside those marked `@rowcast.omit`. */
  readonly omit?: readonly string[] | undefined
}

/** What the schema is built from. */
export interface ServiceSchemaOptions {
  readonly catalog: ModelCatalog
  /** Used for what queries and relation fields ask, and for nothing else. */
  readonly prisma: PrismaClientLike
  readonly feed: ChangeFeed
  /** Whether subscriptions take `overflow`. @default false */
  readonly mayChooseOverflow?: boolean | undefined
  /** The live models: each gets a subscription. The others can be queried. */
  readonly models: Readonly<Record<string, ModelExposure>>
}

/** A model on its way into the schema. */
export interface ServiceModel {
  readonly spec: ModelSpec
  readonly names: ModelFieldNames
  readonly omit: readonly string[]
}

/** A model as Pothos' types describe one, with nothing known about it. */
export interface ServiceModelTypes extends PrismaModelTypes {
  readonly Shape: AnyRow
  readonly Relations: Record<string, { Shape: AnyRow; Name: string; Nullable: boolean }>
}

/** Types of the service's builder. */
export interface ServiceSchemaTypes {
  readonly PrismaTypes: Record<string, ServiceModelTypes>
  readonly Scalars: {
    readonly DateTime: { Input: Date; Output: Date }
    readonly BigInt: { Input: bigint; Output: bigint }
    readonly Decimal: { Input: string; Output: unknown }
    readonly JSON: { Input: unknown; Output: unknown }
    readonly Bytes: { Input: Uint8Array; Output: Uint8Array }
    readonly Cursor: { Input: string; Output: string }
  }
}

/** The service's builder. */
export type ServiceBuilder = PothosSchemaTypes.SchemaBuilder<
  PothosSchemaTypes.ExtendDefaultTypes<ServiceSchemaTypes>
>
