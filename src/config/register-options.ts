/** How one model is made live: the options of `register()`, typed by the model's row and checked against the catalog. */
import type { Where } from '../bus/filter/where-type.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { RowcastError } from '../errors.ts'
import type { ModelPolicy } from '../graphql/policy/model-policy.ts'
import { nearestName } from '../nearest-name.ts'
import type { IdentityMode } from '../source/facts/table-name.ts'

/** Fields that may mark a row as deleted: optional DateTimes and Booleans. */
export type SoftDeleteField<Row extends object> = [keyof Row] extends [never]
  ? string
  : {
      [F in keyof Row & string]: Row[F] extends boolean | null
        ? F
        : Row[F] extends Date | null
          ? null extends Row[F]
            ? F
            : never
          : never
    }[keyof Row & string]

/** Options of `register()`. */
export interface RegisterOptions<Row extends object = object, Rule extends object = Where<Row>>
  extends ModelPolicy<Row, Rule> {
  /**
   * `full`: `enable()` gives the table and its partitions REPLICA IDENTITY FULL, so that every change has its whole
   * old row. `keep`: it leaves the identity as it is; where that is not FULL, `old` is null, `changed` empty and an
   * unchanged large value `unavailable`. @default 'full'
   */
  readonly replicaIdentity?: IdentityMode | undefined
  /**
   * Goes on without the model, with a line in the log, where PostgreSQL writes no changes of its table: a view, a foreign,
   * unlogged or temporary table, or none at all; its subscriptions are refused. @default false: set-up is refused
   */
  readonly optional?: boolean | undefined
  /**
   * Field that marks a row as deleted, an optional DateTime (set) or a Boolean (true). Marking a row is reported as
   * DELETE, taking the mark back as INSERT, and what happens to a marked row not at all; the change's `operation`
   * says what PostgreSQL did. Needs the row before, hence replica identity FULL.
   */
  readonly softDelete?: SoftDeleteField<Row> | undefined
}

/**
 * Checks options against their model.
 * @throws CATALOG_BAD_SOFT_DELETE, CATALOG_BAD_POLICY
 */
export function checkRegisterOptions(model: ModelSpec, options: RegisterOptions): void {
  checkPolicy(model, options)
  checkSoftDelete(model, options)
}

/** Whether the field may mark a row as deleted. @throws CATALOG_BAD_SOFT_DELETE */
export function checkSoftDelete(model: ModelSpec, options: RegisterOptions): void {
  const name = options.softDelete
  if (name === undefined) return
  const field = model.fields.find((each) => each.name === name)
  if (field === undefined) {
    const candidates = model.fields.filter(isMark).map((each) => each.name)
    const nearest = nearestName(name, candidates)
    throw new RowcastError('CATALOG_BAD_SOFT_DELETE', `Model ${model.name} has no field "${name}".`, {
      hint: nearest === null ? undefined : `Did you mean "${nearest}"?`,
    })
  }
  if (!isMark(field)) {
    const type = `${field.type}${field.isList ? '[]' : field.isRequired ? '' : '?'}`
    throw new RowcastError(
      'CATALOG_BAD_SOFT_DELETE',
      `${model.name}.${name} is of type ${type}; it cannot mark a row as deleted.`,
    )
  }
  if (options.replicaIdentity !== 'keep') return
  throw new RowcastError(
    'CATALOG_BAD_SOFT_DELETE',
    `${model.name} is registered with softDelete and with replicaIdentity: 'keep'.`,
    {
      hint: `softDelete compares the row before and after, which needs REPLICA IDENTITY FULL: leave replicaIdentity out.`,
    },
  )
}

/** What the types of TypeScript say already, for those who have none: a misspelt field would be shown. */
function checkPolicy(model: ModelSpec, { omit = [], expose = [], ...policy }: RegisterOptions): void {
  const names = [...model.fields, ...model.relations].map((field) => field.name)
  const unknown = [...omit, ...expose].find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, names)
    throw new RowcastError('CATALOG_BAD_POLICY', `Model ${model.name} has no field "${unknown}".`, {
      hint: nearest === null ? undefined : `Did you mean "${nearest}"?`,
    })
  }
  const { canSubscribe, rows, fields, dependsOn } = policy
  const functions = { canSubscribe, rows, fields, dependsOn }
  for (const [name, value] of Object.entries(functions)) {
    if (value === undefined || typeof value === 'function') continue
    throw new RowcastError(
      'CATALOG_BAD_POLICY',
      `\`${name}\` of model ${model.name} is not a function of the context.`,
    )
  }
}

function isMark({ type, isList, isRequired }: ModelSpec['fields'][number]): boolean {
  return !isList && ((type === 'DateTime' && !isRequired) || type === 'Boolean')
}

/** The models with `softDelete`, and the field of each. */
export function softDeleteFieldsOf(
  options: ReadonlyMap<string, RegisterOptions>,
): ReadonlyMap<string, string> {
  return new Map(
    [...options].flatMap(([name, { softDelete }]) => (softDelete === undefined ? [] : [[name, softDelete]])),
  )
}
