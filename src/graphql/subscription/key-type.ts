/** Stage 7, graphql. `UserKey`, and the field `key` of a change. */

import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { primaryKeyOf } from '../../catalog/row-key.ts'
import type { AnyRow } from '../../changes/change.ts'
import { keyBefore } from '../../changes/key-before.ts'
import type { ChangeEvent } from '../../sets/row-subscription.ts'
import { graphqlTypeName, keyFields } from '../field-type.ts'
import { namesWithoutIdentity } from '../names.ts'
import { nullability } from '../nullability.ts'
import { hideFields } from '../policy/guard-rows.ts'
import { SHOWN_COLUMN } from '../shown-column.ts'
import { columnType, type FieldDefinition, type ObjectDefinition } from '../type-definition.ts'
import { valueResolver } from '../value-resolver.ts'
import { withoutUnreadable } from './image-rows.ts'
import type { SubscribedModel } from './subscription-scope.ts'

/** `UserKey`; null for models without a primary key, or with one that nobody may see. */
export function keyType({ scope, model, names, fields }: SubscribedModel): ObjectDefinition | null {
  const parts = keyFields(model).filter((field) => fields.includes(field))
  if (parts.length === 0) return null
  const { catalog } = scope.feed
  const nameOf = (name: string) => names.fields.get(name) ?? name
  const shownNames = namesWithoutIdentity(parts.map(({ name }) => nameOf(name)))
  const shown = parts.map((field) => {
    const typeName = graphqlTypeName(catalog, model, field)
    const definition: FieldDefinition = {
      type: columnType(typeName, field.isList, nullability(catalog, field, typeName)),
      description: field.documentation ?? `\`${field.name}\` of the row.`,
      extensions: { [SHOWN_COLUMN]: field.name },
      resolve: valueResolver(model, field, typeName),
    }
    return [shownNames.get(nameOf(field.name)) ?? field.name, definition] as const
  })
  return {
    kind: 'object',
    name: names.key,
    description:
      `The primary key of a row of ${model.name}. It is no entity: a column \`id\` is called \`rowId\` here, so that ` +
      'clients’ caches do not take it for the row.',
    fields: Object.fromEntries(shown),
  }
}

/** The field `key`. */
export function keyField({ scope: { policies }, model, names }: SubscribedModel): FieldDefinition {
  return {
    type: names.key,
    description: 'The primary key of the row, after an UPDATE the new one; null for TRUNCATE and READY.',
    resolve(event: ChangeEvent, _args, context) {
      const { hidden } = policies.view(context, model.name)
      const row = visibleKey(model, event)
      return row === null ? null : hideFields(withoutUnreadable(model.name, row), model.name, hidden)
    },
  }
}

/** The field `oldKey`. What only a hidden row had is not shown. */
export function oldKeyField({ scope: { policies }, model, names }: SubscribedModel): FieldDefinition {
  return {
    type: names.key,
    description:
      'The primary key before, where an UPDATE replaced it; null otherwise, and where the row before or after is not for the viewer.',
    resolve({ change, hidesOld, hidesNew }: ChangeEvent, _args, context) {
      const row = 'oldKey' in change && change.action === 'UPDATE' ? change.oldKey : null
      if (row == null || hidesOld || hidesNew) return null
      return hideFields(
        withoutUnreadable(model.name, row),
        model.name,
        policies.view(context, model.name).hidden,
      )
    },
  }
}

/** The key of the row that the viewer may see: the new one, or the old one where the new one is hidden. */
export function visibleKey(model: ModelSpec, { change, hidesNew }: ChangeEvent): AnyRow | null {
  if (!hidesNew || !('oldKey' in change)) return change.key
  return change.old === null ? keyBefore(change) : primaryKeyOf(model, change.old)
}
