/** Stage 7, graphql. `UserKey`, and the field `key` of a change. */
import type { ObjectRef, SchemaTypes } from '@pothos/core'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import { policiesOf } from '../builder/builder-policies.ts'
import type { AnyBuilder } from '../builder/builder-state.ts'
import { sharedChangeTypes } from '../builder/shared-change-types.ts'
import { graphqlTypeName, keyFields } from '../field-type.ts'
import { namesWithoutIdentity } from '../names.ts'
import { nullability } from '../nullability.ts'
import { hideFields } from '../policy/guard-rows.ts'
import type { ModelNames } from '../schema-names.ts'
import { SHOWN_COLUMN } from '../shown-column.ts'
import { valueResolver } from '../value-resolver.ts'
import { withoutUnreadable } from './image-rows.ts'

/** What the fields of a payload are made from. */
export interface PayloadScope {
  readonly builder: AnyBuilder
  readonly catalog: ModelCatalog
  readonly model: ModelSpec
  readonly names: ModelNames
  /** The model's fields that it may speak of. */
  readonly fields: readonly FieldSpec[]
}

/** `UserKey`; null for models without a primary key, or with one that nobody may see. */
export function defineKey({
  builder,
  catalog,
  model,
  names,
  fields,
}: PayloadScope): ObjectRef<SchemaTypes, AnyRow> | null {
  const parts = keyFields(model).filter((field) => fields.includes(field))
  if (parts.length === 0) return null
  const { needed } = sharedChangeTypes(builder)
  const types = parts.map((field) => ({ field, type: graphqlTypeName(catalog, model, field) }))
  for (const { type } of types) needed.add(type)
  const nameOf = (field: FieldSpec) => names.fields.get(field.name) ?? field.name
  const shownNames = namesWithoutIdentity(parts.map(nameOf))
  return builder.objectRef<AnyRow>(names.key).implement({
    description:
      `The primary key of a row of ${model.name}. It is no entity: a column \`id\` is called \`rowId\` here, so that ` +
      'clients’ caches do not take it for the row.',
    fields: (t) =>
      Object.fromEntries(
        types.map(({ field, type }) => [
          shownNames.get(nameOf(field)),
          t.field({
            type: type as never,
            nullable: nullability(catalog, field, type) as never,
            description: field.documentation ?? `\`${field.name}\` of the row.`,
            extensions: { [SHOWN_COLUMN]: field.name },
            resolve: valueResolver(model, field, type) as never,
          }),
        ]),
      ),
  })
}

/** The field `key`. */
export function keyField({ builder, model }: PayloadScope, type: ObjectRef<SchemaTypes, AnyRow>) {
  return {
    type,
    nullable: true,
    description: 'The primary key of the row, after an UPDATE the new one; null for TRUNCATE and READY.',
    resolve: (delivery: ChangeEvent, _args: object, context: object) => {
      const { hidden } = policiesOf(builder).view(context, model.name)
      const row = visibleKey(model, delivery)
      return row === null ? null : hideFields(withoutUnreadable(model.name, row), model.name, hidden)
    },
  } as never
}

/** The key of the row that the viewer may see: the new one, or the old one where the new one is hidden. */
function visibleKey(model: ModelSpec, { change, hidesNew }: ChangeEvent): AnyRow | null {
  if (!hidesNew || change.old === null) return change.key
  const { old } = change
  return Object.fromEntries(model.primaryKey.map((name) => [name, old[name]]))
}
