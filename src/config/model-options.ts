/** The rows of the options of a model, and of the models that are not named. */
import {
  is,
  isFlag,
  isFunction,
  isOneOf,
  maybe,
  type Nothing,
  type OptionRows,
  option,
  type RefusedBy,
} from '../option.ts'
import type { DefaultModelConfig, ModelConfig } from './config.ts'

const isPolicy = <Name extends 'canSubscribe' | 'rows' | 'fields' | 'dependsOn'>() =>
  maybe(isFunction<NonNullable<ModelConfig[Name]>>('is not a function of the context'))
/** Which names they may be depends on the model. */
const isNames = <Name extends 'omit' | 'expose'>() =>
  maybe(is<NonNullable<ModelConfig[Name]>>(Array.isArray, 'is not a list of fields'))

/** In the order of the documentation. */
export const MODEL_OPTIONS = {
  live: option({ check: maybe(isFlag), byDefault: '`true`', meaning: '`false`: queries only' }),
  followed: option({
    check: maybe(isFlag),
    byDefault: '`false`',
    meaning: 'with `live: false`: published all the same, for what depends on it: [live sets](live-sets.md)',
  }),
  canSubscribe: option({
    check: isPolicy<'canSubscribe'>(),
    byDefault: 'everybody',
    meaning: 'policy, who may subscribe: [security](security.md)',
  }),
  rows: option({
    check: isPolicy<'rows'>(),
    byDefault: 'all',
    meaning: 'policy, which rows a viewer sees: [security](security.md)',
  }),
  fields: option({
    check: isPolicy<'fields'>(),
    byDefault: 'all',
    meaning: 'policy, which fields a viewer sees: [security](security.md)',
  }),
  dependsOn: option({
    check: isPolicy<'dependsOn'>(),
    byDefault: '–',
    meaning: 'which rows these answers depend on: [security](security.md)',
  }),
  omit: option({
    check: isNames<'omit'>(),
    byDefault: '–',
    meaning: 'fields and relations that are not in the schema',
  }),
  expose: option({
    check: isNames<'expose'>(),
    byDefault: '–',
    meaning: 'fields that look like secrets and are none',
  }),
  public: option({ check: maybe(isFlag), byDefault: '`false`', meaning: 'needs no policy in production' }),
  bypassesRowSecurity: option({
    check: maybe(isFlag),
    byDefault: '`false`',
    meaning: "shows rows that PostgreSQL's row level security hides from queries: [security](security.md)",
  }),
  replicaIdentity: option({
    check: maybe(isOneOf(['full', 'keep'])),
    byDefault: "`'full'`",
    meaning: "`'keep'`: leave the table's as it is",
  }),
  optional: option({
    check: maybe(isFlag),
    byDefault: "`false`, with `'*'` `true`",
    meaning: 'go on without it where PostgreSQL writes no changes of its table',
  }),
  softDelete: option({
    check: maybe(is<string>((value) => typeof value === 'string', 'is not the name of a field')),
    byDefault: '–',
    meaning: 'the field that marks a row as deleted',
  }),
} satisfies OptionRows<ModelConfig>

/** Nothing that the types allow is refused. */
export type RefusedModelOption = Nothing<RefusedBy<typeof MODEL_OPTIONS, ModelConfig>>

/** What can be said of the models that are not named. */
export const OTHERS_FIELDS: readonly string[] = Object.keys({
  live: true,
  public: true,
  canSubscribe: true,
  bypassesRowSecurity: true,
  replicaIdentity: true,
} satisfies Record<keyof DefaultModelConfig, true>)

/** Names of the options of a model. */
export const MODEL_FIELDS: readonly string[] = Object.keys(MODEL_OPTIONS)
