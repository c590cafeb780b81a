/** Stage 7, graphql. What a subgraph says of itself: its schema with the directives of Apollo Federation 2, which graphql-js does not print. */
import {
  type ConstDirectiveNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  Kind,
  lexicographicSortSchema,
  type ObjectTypeDefinitionNode,
  parse,
  parseConstValue,
  print,
  printSchema,
  visit,
} from 'graphql'

const LINK =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])'

/** A type whose rows have a key that may be seen. */
export interface EntityKeys {
  readonly type: GraphQLObjectType
  /** Fields of the type. */
  readonly keys: readonly string[]
}

/** Which types are entities, and whether a gateway may ask for them here. */
export interface SubgraphSdlOptions {
  readonly entities: readonly EntityKeys[]
  readonly areResolvable: boolean
}

/** The SDL. Types may be in several subgraphs: those of changes are, where two are rowcast's, and rows, where the team's API has them. */
export function subgraphSdl(schema: GraphQLSchema, { entities, areResolvable }: SubgraphSdlOptions): string {
  const keys = new Map(entities.map(({ type, keys }) => [type.name, keys]))
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
  const document = visit(parse(printSchema(lexicographicSortSchema(schema))), {
    ObjectTypeDefinition(node): ObjectTypeDefinitionNode | undefined {
      const { value: name } = node.name
      if (roots.some((root) => root?.name === name)) return undefined
      const key = keys.get(name)
      const directives = [
        ...(key === undefined ? [] : [keyDirective(key, areResolvable)]),
        ...(key === undefined || areResolvable ? [directive('shareable', {})] : []),
      ]
      return { ...node, directives }
    },
  })
  return `${LINK}\n\n${print(document)}\n`
}

function keyDirective(keys: readonly string[], isResolvable: boolean): ConstDirectiveNode {
  const fields = JSON.stringify(keys.join(' '))
  return directive('key', isResolvable ? { fields } : { fields, resolvable: 'false' })
}

/** @param args in GraphQL's own words */
function directive(name: string, args: Readonly<Record<string, string>>): ConstDirectiveNode {
  return {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: name },
    arguments: Object.entries(args).map(([argument, text]) => ({
      kind: Kind.ARGUMENT,
      name: { kind: Kind.NAME, value: argument },
      value: parseConstValue(text),
    })),
  }
}
