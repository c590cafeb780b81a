/**
 * Stage 8, server. Where in an operation an error happened, for the log: the client is shown an id, and who reads the log
 * needs to know which resolver failed.
 */
import {
  type ASTNode,
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  Kind,
  parse,
  type Source,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import type { LogFields } from '../../logger.ts'

/** Paths hold the client's aliases, and its lists' indexes. */
const PATH_LENGTH_MAX = 200

/** Says where an error happened; nothing for errors that have no place in an operation. */
export type ErrorLocator = (error: GraphQLError) => LogFields

/**
 * Creates one: `{ operation: 'Posts', field: 'Post.title', path: 'posts.3.title' }`. The document is read again,
 * once for each of its nodes that fails.
 */
export function createErrorLocator(schema: GraphQLSchema): ErrorLocator {
  const documents = new WeakMap<Source, DocumentNode | null>()

  function documentOf(source: Source): DocumentNode | null {
    let document = documents.get(source)
    if (document === undefined) {
      document = parseOrNull(source)
      documents.set(source, document)
    }
    return document
  }

  /** What the document says of each node: each row of a list may fail, and all of them at the same node. */
  const places = new WeakMap<ASTNode, LogFields>()

  function placeOf(node: ASTNode): LogFields {
    const known = places.get(node)
    if (known !== undefined) return known
    const document = node.loc === undefined ? null : documentOf(node.loc.source)
    const place =
      document === null
        ? {}
        : { operation: operationOf(document, node), field: fieldOf(schema, document, node) }
    places.set(node, place)
    return place
  }

  return ({ nodes, path }) => {
    const node = nodes?.[0]
    return {
      ...(node === undefined ? {} : placeOf(node)),
      path: path?.join('.').slice(0, PATH_LENGTH_MAX),
    }
  }
}

function parseOrNull(source: Source): DocumentNode | null {
  try {
    return parse(source)
  } catch {
    return null
  }
}

/** The name of the operation around a node; in a fragment, of the document's only one. */
function operationOf({ definitions }: DocumentNode, node: ASTNode): string | undefined {
  const operations = definitions.filter((each) => each.kind === Kind.OPERATION_DEFINITION)
  const start = node.loc?.start ?? -1
  const around = operations.find(({ loc }) => loc !== undefined && loc.start <= start && start < loc.end)
  const operation = around ?? (operations.length === 1 ? operations[0] : undefined)
  return operation === undefined ? undefined : (operation.name?.value ?? `anonymous ${operation.operation}`)
}

/** `Post.title`: type and field of the node. */
function fieldOf(schema: GraphQLSchema, document: DocumentNode, wanted: ASTNode): string | undefined {
  const types = new TypeInfo(schema)
  let found: string | undefined
  visit(
    document,
    visitWithTypeInfo(types, {
      Field(node) {
        if (found !== undefined || node.loc?.start !== wanted.loc?.start) return
        const parent = types.getParentType()
        found = parent == null ? node.name.value : `${parent.name}.${node.name.value}`
      },
    }),
  )
  return found
}
