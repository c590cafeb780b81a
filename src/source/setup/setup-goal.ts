/** Stage 5, source. What set-up is asked for, and what it answers with. */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { RowcastError } from '../../errors.ts'
import type { IdentityMode, QualifiedTable, TableName } from '../facts/table-name.ts'

/** One thing to do, and why. */
export interface SetupStep {
  /** `memory` changes nothing: it writes down what was there before. */
  readonly kind: 'memory' | 'replica-identity' | 'publication' | 'slot'
  readonly sql: string
  readonly why: string
  /** Tables whose locks it takes. @default none */
  readonly locks?: readonly QualifiedTable[] | undefined
  /** It and the step behind it are one transaction. @default false */
  readonly isWithNext?: boolean | undefined
}

/** What is wanted. */
export interface SetupGoal {
  readonly tables: readonly TableName[]
  readonly publication: string
  readonly slot: string
  /** Whether the slot has its name by default, and nobody wrote it. @default false */
  readonly isSlotDefault?: boolean | undefined
  /**
   * Tables of implicit many-to-many relations. They are not published, but where the publication has them
   * (FOR ALL TABLES) they are prepared, so that the application can still delete from them.
   */
  readonly joinTables?: readonly QualifiedTable[] | undefined
}

/** What a goal is made of. */
export interface GoalParts {
  readonly catalog: Pick<ModelCatalog, 'joinTables'>
  /** The live models. */
  readonly models: readonly {
    readonly spec: ModelSpec
    readonly replicaIdentity?: IdentityMode | undefined
    /** @default false */
    readonly optional?: boolean | undefined
  }[]
  /** The schema of models that name none. */
  readonly schema: string
  readonly slot: string
  readonly isSlotDefault?: boolean | undefined
  readonly publication: string
}

/** The goal of making models live. @throws SOURCE_NO_MODELS */
export function createSetupGoal({ catalog, models, schema, ...names }: GoalParts): SetupGoal {
  if (models.length === 0) throw new RowcastError('SOURCE_NO_MODELS', 'No model is live.')
  return {
    ...names,
    tables: models.map(({ spec, replicaIdentity, optional }) => ({
      model: spec.name,
      schema: spec.schema ?? schema,
      table: spec.table,
      replicaIdentity,
      isOptional: optional,
      columns: spec.fields.map(({ column }) => column),
      textColumns: spec.fields.filter(({ type }) => type === 'String').map(({ column }) => column),
    })),
    // Those that are followed are among the models.
    joinTables: catalog.joinTables
      .filter(({ table }) => models.every(({ spec }) => spec.name !== table))
      .map((join) => ({ schema: join.schema ?? schema, table: join.table })),
  }
}

/** Names of the models whose tables keep the replica identity they have: nobody counts on whole old rows of them. */
export function modelsKeepingIdentity({ tables }: Pick<SetupGoal, 'tables'>): ReadonlySet<string> {
  return new Set(tables.filter(({ replicaIdentity }) => replicaIdentity === 'keep').map(({ model }) => model))
}
