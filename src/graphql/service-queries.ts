/** Stage 7, graphql. Queries of one model: one row by its primary key, and rows by the page. */
import type { GraphQLResolveInfo } from 'graphql'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { policiesOf } from './builder/builder-policies.ts'
import { anyBuilder, untyped } from './builder/untyped-builder.ts'
import { graphqlTypeName, keyFields } from './field-type.ts'
import { valuesOf } from './graphql-version.ts'
import { parseKeyArgument } from './key-argument.ts'
import { listArguments } from './list-arguments.ts'
import { type ListArguments, listQueryOf, toListError } from './listing/list-query.ts'
import { checkFilterVariables } from './missing-variable.ts'
import { builderReader } from './plugin/image-reader.ts'
import { delegateOf, type PrismaClientLike } from './prisma-delegate.ts'
import { listTurns } from './reading/asking-turns.ts'
import { readAs } from './reading/read-pool.ts'
import type { ServiceBuilder, ServiceModel } from './service-types.ts'
import { relatedModels } from './where/related-rules.ts'
import { withPrismaNames } from './where/where-names.ts'

/** Set as an extension of a query that finds a row by its key, and takes nothing else. */
export const FINDS_BY_KEY = 'rowcastFindsByKey'

/** What queries are made with. */
export interface ModelQueryOptions {
  readonly catalog: ModelCatalog
  /** The client of an operation's GraphQL context. */
  readonly clientOf: (context: unknown) => PrismaClientLike
}

/** Adds `user(id)` and `users(where, orderBy, first, after, …)` to the Query root. */
export function defineQueries(
  builder: ServiceBuilder,
  options: ModelQueryOptions,
  model: ServiceModel,
): void {
  defineOne(builder, options, model)
  defineMany(builder, options, model)
}

/** Who asks, and what else of it. */
type Asked = readonly [context: object, info: GraphQLResolveInfo]

function defineMany(
  builder: ServiceBuilder,
  { catalog, clientOf }: ModelQueryOptions,
  model: ServiceModel,
): void {
  const { spec, names } = model
  untyped(builder).queryField(names.many, (t) =>
    t.prismaField({
      type: [spec.name],
      nullable: false,
      description: `${spec.name} rows, in the order of their key where \`orderBy\` names no other.`,
      args: listArguments(builder, catalog, model),
      resolve: async (query: object, _root: unknown, args: ListArguments, ...[context, info]: Asked) => {
        const policies = policiesOf(anyBuilder(builder))
        try {
          // Fifteen aliases with filters of ten thousand values would be read, and asked for, in one turn.
          await listTurns.wait()
          for (const node of info.fieldNodes) checkFilterVariables(node, valuesOf(info.variableValues))
          const asked = withPrismaNames(catalog, spec, { where: args.where })
          await policies.prepare(context, relatedModels(catalog, spec, asked))
          const view = policies.view(context, spec.name)
          const list = listQueryOf({ catalog, model, view, related: policies.relatedViews(context) }, args)
          const rows = await delegateOf(clientOf(context), spec.name).findMany({ ...query, ...list })
          // What the answer has of them begins with them: two hundred objects of each list.
          await listTurns.wait()
          return rows
        } catch (error) {
          throw toListError(error)
        }
      },
    }),
  )
}

/** Models without a primary key, or with one that nobody may see, have no query by key. */
function defineOne(
  builder: ServiceBuilder,
  { catalog, clientOf }: ModelQueryOptions,
  model: ServiceModel,
): void {
  const { spec, names, omit } = model
  const keys = keyFields(spec).map((field) => ({ field, type: graphqlTypeName(catalog, spec, field) }))
  if (keys.length === 0 || keys.some(({ field }) => field.isOmitted || omit.includes(field.name))) return
  builder.queryField(names.one, (t) =>
    t.prismaField({
      type: spec.name,
      nullable: true,
      extensions: { [FINDS_BY_KEY]: true },
      description: `The ${spec.name} with this primary key; null when there is none.`,
      args: Object.fromEntries(
        keys.map(({ field, type }) => [
          names.fields.get(field.name) ?? field.name,
          t.arg({
            type: type as 'ID',
            required: true,
            description: field.documentation ?? `\`${field.name}\` of the row.`,
          }),
        ]),
      ),
      resolve: (query, _root, args, context) => {
        policiesOf(anyBuilder(builder)).checkVisible(context, { model: spec.name, fields: spec.primaryKey })
        const where = Object.fromEntries(
          keys.map(({ field, type }) => [
            field.name,
            parseKeyArgument(field, type, args[names.fields.get(field.name) ?? field.name]),
          ]),
        )
        // findUnique wants the name of a composite key, which `@@id(name:)` may have changed, and takes no policy beside it.
        if (keys.length === 1 && !policiesOf(anyBuilder(builder)).asksViewer(spec.name))
          return delegateOf(clientOf(context), spec.name).findUnique({ ...query, where })
        const reader = builderReader(anyBuilder(builder), context)
        const asked = { ...query, ...visibleWhere(builder, context, spec.name) }
        return readAs(reader.pool, context, (reads) => reader.findByKey(spec.name, where, asked, reads))
      },
    }),
  )
}

/** The rows that the viewer may see; nothing for all. */
export function visibleWhere(
  builder: ServiceBuilder,
  context: object,
  model: string,
): { readonly where?: object } {
  const { rows } = policiesOf(anyBuilder(builder)).view(context, model)
  return rows === null ? {} : { where: rows.where }
}
