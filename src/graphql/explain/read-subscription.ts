/** Stage 7, graphql. What a subscription's text asks for: its root field and the arguments, as an execution would read them. */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLError,
  type GraphQLSchema,
  getArgumentValues,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql'
import type { ChangeFilterInput } from '../../bus/filter/change-filter.ts'
import type { ChangeAction } from '../../changes/change.ts'
import { graphqlError, toGraphqlError } from '../graphql-errors.ts'
import { coerceVariables, valuesOf } from '../graphql-version.ts'
import { checkFilterVariables } from '../missing-variable.ts'

/** What the fields of `changeSubscription` carry in `extensions.rowcast`. */
export interface ChangeFieldExtension {
  /** Prisma's name. */
  readonly model: string
  /** Fields that are in no schema. */
  readonly omit: readonly string[]
}

/** A subscription to the changes of a model. */
export interface ReadSubscription extends ChangeFieldExtension {
  readonly actions: readonly ChangeAction[] | null
  readonly input: ChangeFilterInput
}

/** As many tokens as a document of a client may have. */
const TOKENS_MAX = 1_000

/** Reads it. @throws GRAPHQL_BAD_ARGUMENT */
export function readSubscription(
  schema: GraphQLSchema,
  text: string,
  variables: Readonly<Record<string, unknown>>,
): ReadSubscription {
  const document = parseText(text)
  const [fault] = validate(schema, document)
  if (fault !== undefined) throw badSubscription(fault.message)
  const operation = getOperationAST(document)
  const field = operation?.operation === 'subscription' ? operation.selectionSet.selections[0] : undefined
  const type = schema.getSubscriptionType()
  if (operation == null || field?.kind !== Kind.FIELD || type == null) {
    throw badSubscription('it is not one subscription with its field at the root')
  }
  const definition = type.getFields()[field.name.value]
  const extension = definition?.extensions['rowcast'] as ChangeFieldExtension | undefined
  if (definition === undefined || extension === undefined) {
    throw badSubscription(`${field.name.value} is not about the changes of a model`)
  }
  const {
    action,
    old,
    where,
    changed,
    new: after,
  } = argumentsOf(schema, { operation, field, definition }, variables)
  return {
    ...extension,
    actions: (action ?? null) as ReadSubscription['actions'],
    input: { where, old, new: after, changed: changed as ChangeFilterInput['changed'] },
  }
}

function parseText(text: string): DocumentNode {
  try {
    return parse(text, { maxTokens: TOKENS_MAX })
  } catch (error) {
    throw badSubscription((error as GraphQLError).message)
  }
}

/** The one field at the root of a subscription. */
interface SubscriptionField {
  readonly operation: OperationDefinitionNode
  readonly field: FieldNode
  readonly definition: Parameters<typeof getArgumentValues>[0]
}

function argumentsOf(
  schema: GraphQLSchema,
  { operation, field, definition }: SubscriptionField,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { variables: coerced, errors } = coerceVariables(
    schema,
    operation.variableDefinitions ?? [],
    variables,
  )
  if (coerced === null) throw badSubscription(errors[0]?.message ?? 'its variables do not fit')
  try {
    checkFilterVariables(field, valuesOf(coerced))
  } catch (error) {
    throw toGraphqlError(error)
  }
  return getArgumentValues(definition, field, coerced)
}

function badSubscription(why: string): GraphQLError {
  return graphqlError('GRAPHQL_BAD_ARGUMENT', `subscription: ${why.replace(/\.$/, '')}.`, {
    hint: 'Give the text of the subscription as the client sends it, and its variables.',
  })
}
