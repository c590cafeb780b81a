/** Stage 7, graphql. What is made once for each Pothos builder. */
import type { SchemaTypes } from '@pothos/core'
import type { PrismaModelTypes, PrismaObjectRef } from '@pothos/plugin-prisma'
import type { MetadataView } from '../policy/metadata-view.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'

/** A builder with its schema types forgotten. */
export type AnyBuilder = PothosSchemaTypes.SchemaBuilder<SchemaTypes>

/** Of one builder, from its first use to the schema it builds. */
export interface BuilderState {
  policies: ViewerPolicies | null
  metadata: MetadataView | null
  /** Row types of the models that `changeSubscription` was called for. */
  readonly subscriptions: Map<string, PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>>
  /** Fields that nobody may filter those models by. */
  readonly filtered: Map<string, readonly string[]>
  /** What `defineTypes` has defined, and the row types, by name in GraphQL. */
  readonly refs: Map<string, object>
  /** Scalars and enums that those speak of: made when the builder turns out not to have them. */
  readonly needed: Set<string>
}

const states = new WeakMap<AnyBuilder, BuilderState>()

/** One for each builder. */
export function stateOf(builder: AnyBuilder): BuilderState {
  const known = states.get(builder)
  if (known !== undefined) return known
  const state: BuilderState = {
    policies: null,
    metadata: null,
    subscriptions: new Map(),
    filtered: new Map(),
    refs: new Map(),
    needed: new Set(),
  }
  states.set(builder, state)
  return state
}
