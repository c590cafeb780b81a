/**
 * Stage 8, server. What a document may be, as an envelop plugin: it hooks parse and validate, which every
 * transport runs, and not Yoga's HTTP hooks, which WebSockets do not.
 */
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases'
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth'
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives'
import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql'
import { isValueDeeper } from '../../catalog/values/json-depth.ts'
import { graphqlError } from '../../graphql/graphql-errors.ts'
import { isTokenLimit, withoutSyntaxError } from '../../graphql/graphql-sentences.ts'
import { walkSelection } from '../../graphql/selection-walk.ts'
import { isLongerThan } from '../errors/delivery-failure.ts'
import type { ServerLimits } from '../limits/limits.ts'
import type { PipelinePlugin } from '../session/connection-state.ts'
import { fragmentsOf } from './collect-fields.ts'
import { countTokens } from './document-cache.ts'
import { unconditionalRootRule } from './subscription-root.ts'

/** What the plugin needs. */
export interface QueryLimitOptions {
  readonly limits: ServerLimits
  /** Whether clients may read the schema. */
  readonly isIntrospectionEnabled: boolean
}

/** Creates the plugins. */
export function createQueryLimits({ limits, isIntrospectionEnabled }: QueryLimitOptions): PipelinePlugin[] {
  // The rule would report on its own, as a syntax error; ours has a code.
  const onReject = [(_context: unknown, error: GraphQLError) => throwOverLimit(error.message)]
  return [
    variablesDepthLimit,
    createDocumentLimit(limits),
    checkSubscriptionRoots,
    writtenFieldsLimit,
    maxDepthPlugin({ n: limits.queryDepthMax, flattenFragments: true, onReject }) as PipelinePlugin,
    maxAliasesPlugin({ n: limits.queryAliasesMax, onReject }) as PipelinePlugin,
    maxDirectivesPlugin({ n: limits.queryDirectivesMax, onReject }) as PipelinePlugin,
    ...(isIntrospectionEnabled ? [] : [hideSchema]),
  ]
}

/** Far more than any filter takes; reading variables takes several calls a level. */
const VARIABLES_DEPTH_MAX = 200

const variablesDepthLimit: PipelinePlugin = {
  onParse({ context }) {
    const { params } = context as { readonly params?: { readonly variables?: unknown } }
    if (isValueDeeper(params?.variables, VARIABLES_DEPTH_MAX))
      throwOverLimit(`The variables are nested more than ${VARIABLES_DEPTH_MAX} levels deep.`)
  },
}

function throwOverLimit(message: string): never {
  throw graphqlError('QUERY_OVER_LIMIT', withoutSyntaxError(message))
}

/** Bounds what is parsed, in bytes before and in tokens meanwhile. */
function createDocumentLimit({ queryBytesMax, queryTokensMax }: ServerLimits): PipelinePlugin {
  return {
    onParse({ setParseFn }) {
      setParseFn((source: string, options: object) => {
        if (isLongerThan(source, queryBytesMax)) {
          return throwOverLimit(`The document has more than ${queryBytesMax} bytes.`)
        }
        const document = parseTokens(source, options, queryTokensMax)
        if (document === null || countTokens(document) > queryTokensMax + DOCUMENT_ENDS) {
          return throwOverLimit(`The document has more than ${queryTokensMax} tokens.`)
        }
        return document
      })
    },
  }
}

/** Tokens for the beginning and the end of a document, which graphql-js does not count. */
const DOCUMENT_ENDS = 2

/** Null at the bound, which graphql-js takes for tokens other than comments. */
function parseTokens(source: string, options: object, maxTokens: number): DocumentNode | null {
  try {
    return parse(source, { ...options, maxTokens })
  } catch (error) {
    if (error instanceof GraphQLError && isTokenLimit(error.message)) return null
    throw error
  }
}

/** Refuses `__schema` and `__type`, and says no names beside those the client wrote. */
const hideSchema: PipelinePlugin = {
  onValidate({ addValidationRule, setValidationFn }) {
    addValidationRule(NoSchemaIntrospectionCustomRule)
    setValidationFn((schema, document, rules) => validate(schema, document, rules, { hideSuggestions: true }))
  },
}

/** Far more than any client writes: its fragments say the same fields a few times. */
const FIELDS_MAX = 10_000

const writtenFieldsLimit: PipelinePlugin = {
  onValidate({ addValidationRule }) {
    addValidationRule(() => ({
      Document(document: DocumentNode) {
        if (writtenFields(document) > FIELDS_MAX)
          throwOverLimit(
            `An operation writes more than ${FIELDS_MAX} fields, those of its fragments included.`,
          )
      },
    }))
  },
}

const checkSubscriptionRoots: PipelinePlugin = {
  onValidate({ addValidationRule }) {
    addValidationRule(unconditionalRootRule)
  },
}

/** Of the operation that writes most. In one selection each fragment counts once, and in each selection again. */
function writtenFields(document: DocumentNode): number {
  const fragments = fragmentsOf(document)
  const known = new Map<SelectionSetNode, number>()
  const countOf = (set: SelectionSetNode): number => {
    const before = known.get(set)
    if (before !== undefined) return before
    // Within itself: such a circle is refused for that.
    known.set(set, 0)
    let count = 0
    const onField = ({ selectionSet }: FieldNode): void => {
      count += 1 + (selectionSet === undefined ? 0 : countOf(selectionSet))
    }
    walkSelection({ fragments, onField, entered: new Set() }, set)
    known.set(set, count)
    return count
  }
  return document.definitions.reduce(
    (most, each) =>
      each.kind === Kind.OPERATION_DEFINITION ? Math.max(most, countOf(each.selectionSet)) : most,
    0,
  )
}
