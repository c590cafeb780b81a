/** Stage 7, graphql. The object type of one model: its visible fields and relations. */
import type { ModelCatalog, ModelSpec, RelationSpec } from '../catalog/model-catalog.ts'
import { invariant } from '../errors.ts'
import { untyped } from './builder/untyped-builder.ts'
import { graphqlTypeName, visibleFields, visibleRelations } from './field-type.ts'
import { nullability } from './nullability.ts'
import { pageArguments, pageOf } from './pagination.ts'
import { visibleWhere } from './service-queries.ts'
import type { ServiceBuilder, ServiceModel } from './service-types.ts'
import { SHOWN_COLUMN } from './shown-column.ts'
import { valueResolver } from './value-resolver.ts'

/** Adds the object type of a model to the builder. */
export function defineObjectType(builder: ServiceBuilder, catalog: ModelCatalog, model: ServiceModel): void {
  const { spec, names, omit } = model
  const nameOf = (name: string) => names.fields.get(name) ?? name
  untyped(builder).prismaObject(spec.name, {
    name: names.type,
    description: spec.documentation ?? `One ${spec.name}.`,
    fields: (t) => {
      const fields = visibleFields(spec, omit).map((field) => {
        const typeName = graphqlTypeName(catalog, spec, field)
        return [
          nameOf(field.name),
          t.field({
            type: field.isList ? [typeName] : typeName,
            nullable: nullability(catalog, field, typeName),
            ...(field.documentation === null ? {} : { description: field.documentation }),
            extensions: { [SHOWN_COLUMN]: field.name },
            resolve: valueResolver(spec, field, typeName),
          }),
        ] as const
      })
      const relations = visibleRelations(catalog, spec, omit).map((relation) => {
        const target = targetOf(catalog, relation)
        return [
          nameOf(relation.name),
          relation.isList
            ? t.relation(relation.name, {
                description:
                  relation.documentation ??
                  `The ${target.name} rows of this ${spec.name}, in the order of their key.`,
                nullable: false,
                args: pageArguments(builder),
                query: (args: object, context: object) => ({
                  ...pageOf(target, args),
                  ...visibleWhere(builder, context, target.name),
                }),
              })
            : t.relation(relation.name, {
                description: relation.documentation ?? describeToOne(relation, target),
                nullable: true,
              }),
        ] as const
      })
      return Object.fromEntries([...fields, ...relations])
    },
  })
}

function describeToOne(relation: RelationSpec, target: ModelSpec): string {
  const how = relation.fields.length > 0 ? `that ${relation.fields.join(', ')} points at` : 'that points here'
  return `The ${target.name} ${how}. Null where there is none, or no longer: under \`old\` the row may be gone.`
}

function targetOf(catalog: ModelCatalog, relation: RelationSpec): ModelSpec {
  const target = catalog.models[relation.model]
  invariant(
    target !== undefined,
    `Relation ${relation.name} leads to ${relation.model}, which does not exist.`,
  )
  return target
}
