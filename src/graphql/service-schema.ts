/**
 * Stage 7, graphql. The GraphQL schema of the service: every model of the catalog that is not omitted, with
 * queries, relations and, for the live ones, subscriptions. Built with Pothos and the plugin that users of
 * their own builder have too.
 */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import type { GraphQLSchema } from 'graphql'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { withWholeRows } from '../catalog/prisma-omit.ts'
import { isJoinTable } from '../catalog/relation-path.ts'
import { RowcastError } from '../errors.ts'
import { stateOf } from './builder/builder-state.ts'
import { defineTypes } from './builder/define-types.ts'
import { anyBuilder } from './builder/untyped-builder.ts'
import { checkedSchema } from './checked-schema.ts'
import { enumDefinition } from './enum-type.ts'
import { visibleFields } from './field-type.ts'
import { RowcastPlugin } from './plugin/rowcast-plugin.ts'
import { omittedNames } from './policy/secret-fields.ts'
import { pothosDatamodel } from './pothos-datamodel.ts'
import { createPagedClients, createReadBounds } from './reading/paged-client.ts'
import { SCALARS } from './scalars.ts'
import { modelNames } from './schema-names.ts'
import { defineObjectType } from './service-object-type.ts'
import { defineQueries, type ModelQueryOptions } from './service-queries.ts'
import type {
  ServiceBuilder,
  ServiceModel,
  ServiceSchemaOptions,
  ServiceSchemaTypes,
} from './service-types.ts'

/**
 * Builds the schema; touches no database.
 * @throws CATALOG_UNKNOWN_MODEL when `models` names one that the catalog does not have.
 * @throws GRAPHQL_BAD_SCHEMA when an omitted model is to be live, or GraphQL does not take the schema.
 * @throws GRAPHQL_BAD_NAME when a chosen name is taken.
 */
export function buildServiceSchema(declared: ServiceSchemaOptions): GraphQLSchema {
  const bounds = createReadBounds(declared.catalog, declared.reads)
  const clientOf = createPagedClients(withWholeRows(declared.prisma), bounds)
  const options = { ...declared, clientOf }
  const builder = createBuilder(options)
  const models = serviceModels(options)
  for (const model of models) defineObjectType(builder, options.catalog, model)
  builder.queryType({ description: 'Rows as they are now.' })
  const { filtered } = stateOf(anyBuilder(builder))
  for (const { spec, omit } of models) filtered.set(spec.name, omit)
  for (const model of models) defineQueries(builder, options, model)
  for (const { spec, names, omit, expose } of models) {
    if (Object.hasOwn(options.models, spec.name) && options.models[spec.name]?.live !== false) {
      builder.changeSubscription(spec.name, { name: names.changed, omit, expose })
    }
  }
  addEnums(builder, options.catalog, models)
  addScalars(builder)
  return checkedSchema(builder.toSchema(), HINT)
}

const HINT =
  'Name the model or field otherwise with `/// @rowcast.name("…")`, or leave it out with `/// @rowcast.omit`.'

/** Adds the scalars that schemas of the service know. */
export function addScalars(builder: ServiceBuilder): void {
  for (const [name, scalar] of Object.entries(SCALARS))
    builder.addScalarType(name as keyof typeof SCALARS, scalar)
}

/** A builder with nothing defined on it yet. */
export function createBuilder(
  options: ServiceSchemaOptions & Partial<Pick<ModelQueryOptions, 'clientOf'>>,
): ServiceBuilder {
  const { catalog, prisma, clientOf, feed, showMetadata, mayChooseOverflow, canExplain } = options
  return new SchemaBuilder<ServiceSchemaTypes>({
    plugins: [PrismaPlugin, RowcastPlugin],
    prisma: { client: clientOf ?? (() => prisma), dmmf: { datamodel: pothosDatamodel(catalog) } },
    rowcast: {
      feed,
      showMetadata,
      changes: true,
      lists: true,
      totals: true,
      mayChooseOverflow,
      canExplain,
      policies: new Map(Object.entries(options.models)),
      // Nothing in this schema but the policies asks who the viewer is.
      shareBy: () => '',
    },
  })
}

/** The models that are not omitted. @throws CATALOG_UNKNOWN_MODEL, GRAPHQL_BAD_SCHEMA */
export function serviceModels({ catalog, models }: ServiceSchemaOptions): readonly ServiceModel[] {
  for (const name of Object.keys(models).filter((each) => !isJoinTable({ name: each }))) {
    const spec = Object.hasOwn(catalog.models, name) ? catalog.models[name] : undefined
    if (spec === undefined) throw new RowcastError('CATALOG_UNKNOWN_MODEL', `There is no model "${name}".`)
    if (spec.isOmitted) {
      throw new RowcastError(
        'GRAPHQL_BAD_SCHEMA',
        `Model ${name} is to be live, but is marked @rowcast.omit.`,
        {
          hint: `Remove the mark from the Prisma schema, or do not register ${name}.`,
        },
      )
    }
  }
  const specs = Object.values(catalog.models).filter((model) => !model.isOmitted)
  return specs.map((spec) => {
    const { expose = [], ...exposure } = models[spec.name] ?? {}
    const names = modelNames(catalog, spec.name)
    return { spec, names, omit: omittedNames(spec, { ...exposure, expose }), expose }
  })
}

/** Only the enums of visible fields: the others would disclose what is hidden. */
function addEnums(builder: ServiceBuilder, catalog: ModelCatalog, models: readonly ServiceModel[]): void {
  const used = new Set(
    models.flatMap(({ spec, omit }) => visibleFields(spec, omit).map((field) => field.type)),
  )
  for (const spec of Object.values(catalog.enums)) {
    if (used.has(spec.name)) defineTypes(anyBuilder(builder), [enumDefinition(catalog, spec)])
  }
}
