/**
 * Stage 7, graphql. The service's schema as a subgraph of Apollo Federation 2: `_service` says what it has, `_entities` finds rows by
 * their keys, by the very queries that clients have, so under the same policies and limits.
 */
import {
  GraphQLError,
  type GraphQLField,
  type GraphQLFieldConfigMap,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLResolveInfo,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  GraphQLUnionType,
  getNamedType,
  isInputObjectType,
  isLeafType,
  isObjectType,
} from 'graphql'
import { RowcastError } from '../../errors.ts'
import { memberOf } from '../../member-of.ts'
import { graphqlError } from '../graphql-errors.ts'
import { modelOfType } from '../policy/selected-models.ts'
import { fold } from '../reading/rows-by-keys.ts'
import { FINDS_BY_KEY } from '../service-queries.ts'
import { ENTITY_UNION, entitySelection } from './entity-selection.ts'
import type { ServedSubgraph } from './subgraph-options.ts'
import { type EntityKeys, subgraphSdl } from './subgraph-sdl.ts'

/** How its rows are found: its keys are the arguments of `Query.user`. */
interface Entity extends EntityKeys {
  readonly finder: GraphQLField<unknown, object>
}

/** Rows of one request; a gateway asks for those of a whole page at once. */
const REPRESENTATIONS_MAX = 1_000
/** Keys that are alike but for case, accents or blanks: whose row it is the database alone knows, and each is read alone. */
const ALIKE_MAX = 100

/** The schema as a subgraph. @throws GRAPHQL_BAD_SCHEMA where it has a query of the name that `changeCursor` is given */
export function asSubgraph(schema: GraphQLSchema, { entities, changeCursor }: ServedSubgraph): GraphQLSchema {
  const found = entitiesOf(schema)
  const named = changeCursor === CHANGE_CURSOR ? schema : besideAnother(schema, changeCursor)
  const served = entities === 'keys' ? withKeysAlone(named, found) : named
  const sdl = subgraphSdl(served, { entities: found, areResolvable: entities === 'rows' })
  const fields: GraphQLFieldConfigMap<unknown, object> = {
    _service: {
      type: new GraphQLNonNull(
        new GraphQLObjectType({ name: '_Service', fields: { sdl: { type: GraphQLString } } }),
      ),
      resolve: () => ({ sdl }),
    },
    ...(entities === 'rows' && found.length > 0 ? { _entities: entitiesField(found) } : {}),
  }
  return withRoot(served, 'query', (before) => ({ ...before, ...fields }))
}

function entitiesOf(schema: GraphQLSchema): readonly Entity[] {
  return Object.values(schema.getQueryType()?.getFields() ?? {}).flatMap((finder) => {
    const type = getNamedType(finder.type)
    if (finder.extensions[FINDS_BY_KEY] !== true || !isObjectType(type)) return []
    return [{ type, finder, keys: finder.args.map(({ name }) => name) }]
  })
}

const CHANGE_CURSOR = 'changeCursor'

/** `changeCursor` by another name, and no `changes`: fields of Subscription cannot be in two subgraphs, nor can its input, whose fields are the models. */
function besideAnother(schema: GraphQLSchema, name: string): GraphQLSchema {
  const named = withRoot(schema, 'query', ({ changeCursor, ...others }) => {
    if (changeCursor === undefined) return others
    if (others[name] !== undefined)
      throw new RowcastError('GRAPHQL_BAD_SCHEMA', `The schema has a query ${name} already.`, {
        hint: 'Give `changeCursor` of `subgraph` in the config another name.',
      })
    return { [name]: changeCursor, ...others }
  })
  return withRoot(named, 'subscription', ({ changes: _changes, ...others }) => others)
}

/** Row types with nothing but their keys, and no queries of rows: those are another subgraph's. */
function withKeysAlone(schema: GraphQLSchema, entities: readonly Entity[]): GraphQLSchema {
  for (const { type, keys } of entities) {
    const fields = type.getFields()
    for (const name of Object.keys(fields)) if (!keys.includes(name)) delete fields[name]
  }
  return withRoot(schema, 'query', (fields) =>
    Object.fromEntries(
      Object.entries(fields).filter(([, { type }]) => modelOfType(getNamedType(type)) === null),
    ),
  )
}

type QueryFields = GraphQLFieldConfigMap<unknown, object>

/** The schema with other fields on its Query or Subscription, and without types that nothing leads to any more. */
function withRoot(
  schema: GraphQLSchema,
  root: 'query' | 'subscription',
  change: (fields: QueryFields) => QueryFields,
): GraphQLSchema {
  const config = schema.toConfig()
  const type = config[root]?.toConfig()
  if (type === undefined || type === null) return schema
  return new GraphQLSchema({
    ...config,
    [root]: new GraphQLObjectType({ ...type, fields: change(type.fields) }),
    types: config.types.filter((type) => isObjectType(type) && type.getInterfaces().length > 0),
  })
}

function entitiesField(entities: readonly Entity[]): QueryFields[string] {
  const byName = new Map(entities.map((entity) => [entity.type.name, entity]))
  const typeOf = new WeakMap<object, string>()
  const any = new GraphQLScalarType({
    name: '_Any',
    description: 'A key of an entity, with its `__typename`.',
  })
  const entity = new GraphQLUnionType({
    name: ENTITY_UNION,
    types: entities.map(({ type }) => type),
    resolveType: (row: object) => typeOf.get(row),
  })
  return {
    type: new GraphQLNonNull(new GraphQLList(entity)),
    args: {
      representations: { type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(any))) },
    },
    resolve(root, args: Readonly<Record<string, unknown>>, context, info) {
      const representations = args['representations'] as readonly unknown[]
      if (representations.length > REPRESENTATIONS_MAX) throw tooMany(representations.length)
      if (alikeIn(representations) > ALIKE_MAX) throw tooManyAlike()
      return representations.map(async (representation) => {
        const name = String(memberOf(representation, '__typename'))
        const known = byName.get(name)
        if (known === undefined) throw badRepresentation(`There is no entity "${name.slice(0, 80)}" here.`)
        const row = await find(known, representation, { root, context, info })
        if (typeof row !== 'object' || row === null) return null
        typeOf.set(row, name)
        return row
      })
    },
  }
}

interface Asking {
  readonly root: unknown
  readonly context: object
  readonly info: GraphQLResolveInfo
}

/** As a client would: by the query for one row. */
function find(
  { type, finder, keys }: Entity,
  representation: unknown,
  { root, context, info }: Asking,
): unknown {
  const args = Object.fromEntries(
    finder.args.map((arg) => [arg.name, keyValue(type, arg, memberOf(representation, arg.name))]),
  )
  const asked = {
    ...info,
    fieldName: finder.name,
    returnType: type,
    fieldNodes: info.fieldNodes.map((node) => entitySelection(node, finder.name, type, info.fragments)),
  }
  if (keys.length === 0 || finder.resolve === undefined) return null
  return finder.resolve(root, args, context, asked)
}

/** A key as the argument takes it from variables. */
function keyValue(
  { name }: GraphQLObjectType,
  arg: GraphQLField<unknown, object>['args'][number],
  value: unknown,
): unknown {
  const type = getNamedType(arg.type)
  if (value === undefined || value === null || isInputObjectType(type) || !isLeafType(type))
    throw badRepresentation(`A representation of ${name} has no ${arg.name}.`)
  try {
    return type.parseValue(value)
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error
    throw badRepresentation(`${arg.name} of a representation of ${name} cannot be read.`)
  }
}

function badRepresentation(message: string): GraphQLError {
  return graphqlError('GRAPHQL_BAD_ARGUMENT', message, {
    hint: 'Compose the supergraph again from the subgraph’s `_service { sdl }`.',
  })
}

function alikeIn(representations: readonly unknown[]): number {
  const values = representations.map((each) => Object.values(Object(each)))
  const differing = new Set(values.map((each) => JSON.stringify(each)))
  return differing.size - new Set(values.map((each) => JSON.stringify(each.map(fold)))).size
}

function tooManyAlike(): GraphQLError {
  return graphqlError('GRAPHQL_BAD_ARGUMENT', 'Entities are asked for whose keys are alike.', {
    hint: `Ask for ${ALIKE_MAX} at the most that differ in case, accents or blanks alone.`,
  })
}

function tooMany(count: number): GraphQLError {
  return graphqlError('GRAPHQL_BAD_ARGUMENT', `${count} entities are asked for at once.`, {
    hint: `Ask for ${REPRESENTATIONS_MAX} at the most.`,
  })
}
