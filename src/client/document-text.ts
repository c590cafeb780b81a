/** Beside the spine, client. Documents as text: they are given as text, as code generators write them, or parsed, and no parser is loaded for that. */

/** What a code generator knows of a document: GraphQL Code Generator's `TypedDocumentNode` and `TypedDocumentString`, gql.tada's. */
interface TypedResult<Data, Variables> {
  readonly __apiType?: ((variables: Variables) => Data) | undefined
}

/** A document of graphql-js, or of any other parser. */
interface ParsedDocument {
  readonly kind: string
  readonly definitions: readonly object[]
}

/** A document: its text, or what a code generator made of it, which carries the types of its data and variables. */
export type ChangeDocument<Data = object, Variables = never> =
  | string
  | ((ParsedDocument | Pick<string, 'charAt'>) & TypedResult<Data, Variables>)

/** One of its nodes: https://spec.graphql.org/October2021/#sec-Document-Syntax, as graphql-js names them. */
interface DocumentNode {
  readonly kind: string
  readonly [part: string]: unknown
}

const texts = new WeakMap<object, string>()

/** The text of a document. The same text for the same document. @throws TypeError where it is none */
export function documentText(document: ChangeDocument): string {
  if (typeof document === 'string') return document
  if (!('definitions' in document)) return String(document)
  const known = texts.get(document)
  if (known !== undefined) return known
  const text = print(document)
  texts.set(document, text)
  return text
}

function print(node: unknown): string {
  if (node == null) return ''
  const printer = PRINTERS[(node as DocumentNode).kind]
  if (printer === undefined) throw new TypeError('A document holds a node that no operation may have.')
  return printer(node as DocumentNode)
}

function printAll(nodes: unknown, between: string, [open, close]: readonly [string, string]): string {
  const all = Array.isArray(nodes) ? nodes : []
  return all.length === 0 ? '' : `${open}${all.map(print).join(between)}${close}`
}

const NO_BRACKETS = ['', ''] as const
const SPACED = [' ', ''] as const
const printDirectives = (node: DocumentNode): string => printAll(node['directives'], ' ', SPACED)
const printArguments = (node: DocumentNode): string => printAll(node['arguments'], ', ', ['(', ')'])
const printValue = ({ value }: DocumentNode): string => String(value)
const printPair = ({ name, value }: DocumentNode): string => `${print(name)}: ${print(value)}`

const PRINTERS: Readonly<Record<string, (node: DocumentNode) => string>> = {
  Document: ({ definitions }) => printAll(definitions, '\n', NO_BRACKETS),
  OperationDefinition(node) {
    const variables = printAll(node['variableDefinitions'], ', ', ['(', ')'])
    const head = `${node['operation']} ${print(node['name'])}${variables}${printDirectives(node)}`
    return `${head} ${print(node['selectionSet'])}`
  },
  VariableDefinition(node) {
    const { defaultValue } = node
    const preset = defaultValue == null ? '' : ` = ${print(defaultValue)}`
    return `${print(node['variable'])}: ${print(node['type'])}${preset}${printDirectives(node)}`
  },
  SelectionSet: ({ selections }) => printAll(selections, ' ', ['{ ', ' }']),
  Field(node) {
    const alias = node['alias'] == null ? '' : `${print(node['alias'])}: `
    const head = `${alias}${print(node['name'])}${printArguments(node)}${printDirectives(node)}`
    return node['selectionSet'] == null ? head : `${head} ${print(node['selectionSet'])}`
  },
  FragmentSpread: (node) => `...${print(node['name'])}${printDirectives(node)}`,
  InlineFragment(node) {
    const on = node['typeCondition'] == null ? '' : ` on ${print(node['typeCondition'])}`
    return `...${on}${printDirectives(node)} ${print(node['selectionSet'])}`
  },
  FragmentDefinition(node) {
    const head = `fragment ${print(node['name'])} on ${print(node['typeCondition'])}${printDirectives(node)}`
    return `${head} ${print(node['selectionSet'])}`
  },
  Directive: (node) => `@${print(node['name'])}${printArguments(node)}`,
  Argument: printPair,
  Name: printValue,
  Variable: ({ name }) => `$${print(name)}`,
  NamedType: ({ name }) => print(name),
  ListType: ({ type }) => `[${print(type)}]`,
  NonNullType: ({ type }) => `${print(type)}!`,
  IntValue: printValue,
  FloatValue: printValue,
  BooleanValue: printValue,
  EnumValue: printValue,
  NullValue: () => 'null',
  // Its escapes are GraphQL's as well.
  StringValue: ({ value }) => JSON.stringify(value),
  ListValue: ({ values }) => printAll(values, ', ', ['[', ']']) || '[]',
  ObjectValue: ({ fields }) => printAll(fields, ', ', ['{ ', ' }']) || '{}',
  ObjectField: printPair,
}
