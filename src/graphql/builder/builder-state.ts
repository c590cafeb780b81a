/** Stage 7, graphql. What is made once for each Pothos builder. */
import type { EnumRef, InputObjectRef, ObjectRef, SchemaTypes } from '@pothos/core'
import type { PrismaModelTypes, PrismaObjectRef } from '@pothos/plugin-prisma'
import type { Delivery, OverflowPolicy } from '../../bus/bus.ts'
import type { Transition } from '../../bus/filter/judge-change.ts'
import type { FirstRowChange } from '../../sets/row-subscription.ts'
import type { EventAction } from '../event-action.ts'
import type { ViewerPolicies } from '../policy/viewer-policies.ts'

/** A builder with its schema types forgotten. */
export type AnyBuilder = PothosSchemaTypes.SchemaBuilder<SchemaTypes>

/** Types that the changes of all models share. */
export interface SharedChangeTypes {
  readonly action: EnumRef<SchemaTypes, EventAction>
  readonly transition: EnumRef<SchemaTypes, Transition>
  readonly cause: EnumRef<SchemaTypes, NonNullable<FirstRowChange['cause']>>
  /** Null where clients may not choose. */
  readonly overflow: EnumRef<SchemaTypes, OverflowPolicy> | null
  readonly transaction: ObjectRef<SchemaTypes, Delivery>
  /** Scalars and enums that fields of the payloads have: made when the builder turns out not to have them. */
  readonly needed: Set<string>
}

/** Of one builder, from its first use to the schema it builds. */
export interface BuilderState {
  policies: ViewerPolicies | null
  changeTypes: SharedChangeTypes | null
  /** Row types of the models that `changeSubscription` was called for. */
  readonly subscriptions: Map<string, PrismaObjectRef<SchemaTypes, PrismaModelTypes, object>>
  /** Inputs of filters by name: those of fields are shared by all models. */
  readonly filterInputs: Map<string, InputObjectRef<SchemaTypes, object>>
  /** Enums that the inputs of filters have, by name. */
  readonly filterEnums: Map<string, EnumRef<SchemaTypes, string>>
}

const states = new WeakMap<AnyBuilder, BuilderState>()

/** One for each builder. */
export function stateOf(builder: AnyBuilder): BuilderState {
  const known = states.get(builder)
  if (known !== undefined) return known
  const state: BuilderState = {
    policies: null,
    changeTypes: null,
    subscriptions: new Map(),
    filterInputs: new Map(),
    filterEnums: new Map(),
  }
  states.set(builder, state)
  return state
}
