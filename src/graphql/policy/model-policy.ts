/** Stage 7, graphql. What a user declares about one model: who may subscribe, which rows and fields a viewer sees. */
import type { Where } from '../../bus/filter/where-type.ts'

/** Names of a row's fields; any name where the row's type is not known. */
export type FieldNameOf<Row extends object> = [keyof Row] extends [never] ? string : keyof Row & string

/**
 * Which rows: those of a filter, in the shape of Prisma's `where`; all; or none. Where the types of the catalog are known, `Rule` is
 * the model's own `where`, relations included.
 */
export type RowsRule<Row extends object = object, Rule extends object = Where<Row>> = Rule | 'all' | 'none'

type Awaitable<Value> = Value | Promise<Value>

/**
 * A function of the GraphQL context. Written as a method's type, so that it can be declared with the application's
 * own type of context.
 */
type OfContext<Value> = { of(context: object): Awaitable<Value> }['of']

/**
 * What viewers may see of one model. Each function is asked once for an operation, with its GraphQL context, and again where `dependsOn` says so; a
 * subscription keeps the answers until it ends. One that throws, or answers with something else, ends that one
 * operation with POLICY_FAILED, which clients see masked.
 */
export interface ModelPolicy<Row extends object = object, Rule extends object = Where<Row>> {
  /** Whether the viewer may subscribe to changes at all. @default everybody */
  readonly canSubscribe?: OfContext<boolean> | undefined
  /**
   * The rows that the viewer may see: judged on the row before and after each change, and given to Prisma as
   * `where` for queries and lists of related rows. An image that cannot be judged is not shown. It may follow relations: then a right
   * that is given or taken away in another table holds from that commit on; see docs/live-sets.md. @default all
   */
  readonly rows?: OfContext<RowsRule<Row, Rule>> | undefined
  /** The fields that the viewer may see. @default all that are in the schema */
  readonly fields?: OfContext<readonly FieldNameOf<Row>[] | 'all'> | undefined
  /**
   * The rows that the answers of the others depend on, by model, each by a `where` on its own columns: `({ viewer }) => ({ OrgMember: { userId:
   * viewer.id } })`. Where one is written, they are asked again before anything of that transaction or later is judged for this viewer, and rows that come
   * into sight or go out of it are delivered as READ. Their models are live or followed. @default the answers hold until the subscription ends
   */
  readonly dependsOn?: OfContext<Readonly<Record<string, object>>> | undefined
  /** Fields that nobody sees: they are not in the schema. */
  readonly omit?: readonly FieldNameOf<Row>[] | undefined
  /** Fields that look like secrets and are none; see `looksSecret`. */
  readonly expose?: readonly FieldNameOf<Row>[] | undefined
  /** Says that everybody who is let in may see the model: in production a model has this, or a policy. */
  readonly public?: boolean | undefined
  /**
   * Says that whoever may subscribe may see the rows that row level security of PostgreSQL hides from queries: replication
   * brings all of them. In production a model of such a table has this, or `rows`. @default false
   */
  readonly bypassesRowSecurity?: boolean | undefined
}

/** A policy whose row type is not known. */
export type AnyModelPolicy = ModelPolicy

/** Policies by model name. */
export type ModelPolicies = ReadonlyMap<string, AnyModelPolicy>

/** As far as one model at a time is asked for. */
export type PolicyLookup = Pick<ModelPolicies, 'has' | 'get'>

/** Models for whose rows somebody answers: with `rows`, or by saying that row level security need not be kept. */
export function modelsWithRowRule(policies: ModelPolicies): ReadonlySet<string> {
  const names = [...policies].filter(
    ([, { rows, bypassesRowSecurity }]) => rows !== undefined || bypassesRowSecurity,
  )
  return new Set(names.map(([name]) => name))
}

/** Whether the policy asks who the viewer is. */
export function asksViewer({ canSubscribe, rows, fields }: AnyModelPolicy): boolean {
  return canSubscribe !== undefined || rows !== undefined || fields !== undefined
}
