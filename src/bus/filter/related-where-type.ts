/**
 * Stage 6, bus. The type of a `where` that follows relations: Prisma's shape, derived from what the generator writes of each model.
 * Types only.
 */
import type { ModelTypeMap } from '../../catalog/model-catalog.ts'
import type { FieldFilters } from './where-type.ts'

/** Which rows of a model, by its own columns and by related rows: all that is said has to hold. */
export type RelatedWhere<Types extends ModelTypeMap, M extends keyof Types & string> = FieldFilters<
  Types[M]['row']
> & {
  readonly [Name in keyof RelationsOf<Types[M]>]?: RelationFilter<Types, RelationsOf<Types[M]>[Name]>
} & {
  readonly AND?: RelatedWhere<Types, M> | readonly RelatedWhere<Types, M>[]
  /** At least one of these; of an empty list none. */
  readonly OR?: readonly RelatedWhere<Types, M>[]
  /** None of these. */
  readonly NOT?: RelatedWhere<Types, M> | readonly RelatedWhere<Types, M>[]
}

/** Relations of a model; none of a catalog that was generated before they were written down. */
type RelationsOf<Model> = Model extends { readonly relations: infer Relations }
  ? Relations
  : Record<never, never>

/** What a relation is asked. */
export type RelationFilter<Types extends ModelTypeMap, Relation> = Relation extends {
  readonly many: infer To extends keyof Types & string
}
  ? ManyFilter<RelatedWhere<Types, To>>
  : Relation extends { readonly optional: infer To extends keyof Types & string }
    ? OneFilter<RelatedWhere<Types, To> | null> | RelatedWhere<Types, To> | null
    : Relation extends { readonly one: infer To extends keyof Types & string }
      ? OneFilter<RelatedWhere<Types, To>> | RelatedWhere<Types, To>
      : never

interface ManyFilter<Where> {
  /** At least one related row. */
  readonly some?: Where
  /** Every related row; true where there are none. */
  readonly every?: Where
  readonly none?: Where
}

interface OneFilter<Where> {
  readonly is?: Where
  readonly isNot?: Where
}
