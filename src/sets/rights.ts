/** Sets, between stages 6 and 7. What somebody may see, as far as code answers that by what is in rows. Types only. */
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import type { Condition } from '../bus/filter/condition.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'

/** Rows that an answer depends on: those of which the condition is true, before a change or after it. */
export interface Dependency {
  readonly model: ModelSpec
  readonly condition: Condition
}

/** What somebody may see, as far as code says so. */
export interface Rights {
  readonly dependencies: readonly Dependency[]
  /** Asks again. @returns what changes are judged by from now on; null for every one @throws what ends the subscription */
  readonly ask: () => Promise<ChangeFilter | null>
}
