/** Stage 7, graphql. What is made once for each Pothos builder. */
import type { SchemaTypes } from '@pothos/core'
import type { PrismaModelTypes, PrismaObjectRef } from '@pothos/plugin-prisma'
import type { MetadataView } from '../policy/metadata-view.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'
import type { ReadBounds } from '../reading/bounded-reader.ts'
import type { ReadLimits } from '../reading/paged-client.ts'
import type { SubscribedModel } from '../subscription/subscription-scope.ts'
import type { AnyBuilder } from './untyped-builder.ts'

/** Of one builder, from its first use to the schema it builds. */
export interface BuilderState {
  policies: ViewerPolicies | null
  metadata: MetadataView | null
  /** Row types of the models that `changeSubscription` was called for. */
  readonly subscriptions: Map<string, PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>>
  /** Those models, by name. */
  readonly declared: Map<string, SubscribedModel>
  /** Fields that nobody may filter those models by. */
  readonly filtered: Map<string, readonly string[]>
  /** What `defineTypes` has defined, and the row types, by name in GraphQL. */
  readonly refs: Map<string, object>
  /** Scalars and enums that those speak of: made when the builder turns out not to have them. */
  readonly needed: Set<string>
  /** The server's limits for what the schema reads. */
  readLimits: ReadLimits | null
  /** Made of those and of the builder's own at the first read. */
  readBounds: ReadBounds | null
}

/** Builders are Pothos' own: theirs is the one state that is kept beside them. */
const states = new WeakMap<AnyBuilder, BuilderState>()

/** One for each builder. */
export function stateOf(builder: AnyBuilder): BuilderState {
  const known = states.get(builder)
  if (known !== undefined) return known
  const state: BuilderState = {
    policies: null,
    metadata: null,
    subscriptions: new Map(),
    declared: new Map(),
    filtered: new Map(),
    refs: new Map(),
    needed: new Set(),
    readLimits: null,
    readBounds: null,
  }
  states.set(builder, state)
  return state
}
