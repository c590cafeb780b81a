/** Stage 7, graphql. What the service's schema is built from, and its builder, whose models are known at run time only. */
import type { PrismaModelTypes } from '@pothos/plugin-prisma'
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import type { CanExplain, ChangeFeed } from './change-feed.ts'
import type { MetadataExposure } from './policy/metadata-view.ts'
import type { AnyModelPolicy } from './policy/model-policy.ts'
import type { PrismaClientLike } from './prisma-delegate.ts'
import type { ReadLimits } from './reading/paged-client.ts'
import type { ModelNames } from './schema-names.ts'

/** How one model is exposed: who may see what of it, and whether it is live. */
export interface ModelExposure extends AnyModelPolicy {
  /** Whether it gets a subscription beside its queries. @default true */
  readonly live?: boolean | undefined
}

/** What the schema is built from. */
export interface ServiceSchemaOptions {
  readonly catalog: ModelCatalog
  /** Used for what queries and relation fields ask, and for nothing else. */
  readonly prisma: PrismaClientLike
  readonly feed: ChangeFeed
  /** How much is read for queries and relations, and for how long. @default 10,000 rows a list, 10 s */
  readonly reads?: ReadLimits | undefined
  /** What of the metadata of transactions is shown, and to whom. @default nothing */
  readonly showMetadata?: MetadataExposure | undefined
  /** Whether subscriptions take `overflow`. @default false */
  readonly mayChooseOverflow?: boolean | undefined
  /** Adds `Query.whyNot` for those whom it says yes to. @default no such field */
  readonly canExplain?: CanExplain | undefined
  /** The live models, each of which gets a subscription, and what is declared about others. All can be queried. */
  readonly models: Readonly<Record<string, ModelExposure>>
}

/** A model on its way into the schema. */
export interface ServiceModel {
  readonly spec: ModelSpec
  readonly names: ModelNames
  readonly omit: readonly string[]
  readonly expose: readonly string[]
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
    readonly Date: { Input: Date; Output: Date }
    readonly Time: { Input: Date; Output: Date }
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
