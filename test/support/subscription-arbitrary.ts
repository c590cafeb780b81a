/** Random subscriptions on one field of a schema: aliases, fragments of both kinds, directives, fields asked twice. */
import fc from 'fast-check'
import {
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isLeafType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
} from 'graphql'

/** A document and values for its variables. */
export interface RandomSubscription {
  readonly source: string
  readonly variables: Readonly<Record<string, unknown>>
}

/** What documents are made of. */
export interface SubscriptionArbitraryOptions {
  /** Name of the field on the Subscription root. */
  readonly field: string
  /** Its arguments, as they stand in the document. */
  readonly rootArguments?: string
  /** Fields of object types that are not selected. */
  readonly except?: ReadonlySet<string>
  /** Levels of objects under the subscription field. */
  readonly depthMax?: number
}

/** Subscriptions on a field. `$yes` and `$no` steer their directives; `$yes` has a default. */
export function subscriptionArbitrary(
  schema: GraphQLSchema,
  { field, rootArguments = '', except = new Set(), depthMax = 2 }: SubscriptionArbitraryOptions,
): fc.Arbitrary<RandomSubscription> {
  const payload = getNamedType(schema.getSubscriptionType()?.getFields()[field]?.type)
  if (!isInterfaceType(payload)) throw new Error(`There is no subscription ${field}.`)
  const directive = fc.constantFrom(
    '',
    '',
    '',
    ' @include(if: $yes)',
    ' @skip(if: $no)',
    ' @include(if: $no)',
  )

  function selection(type: GraphQLObjectType | GraphQLInterfaceType, depth: number): fc.Arbitrary<string> {
    const usable = Object.values(type.getFields()).filter(
      (each) => !except.has(each.name) && !each.args.some(isRequiredArgument),
    )
    // A field that an interface has nullable and a type of it has not goes by another name there, or the two conflict.
    const isSure = (name: string) =>
      isObjectType(type) &&
      isNonNullType(type.getFields()[name]?.type) &&
      type.getInterfaces().some((each) => !isNonNullType(each.getFields()[name]?.type))
    const leaves = usable.filter((each) => isLeafType(getNamedType(each.type))).map(({ name }) => name)
    const objects = usable.flatMap(({ name, type: its }) => {
      const named = getNamedType(its)
      return isObjectType(named) && depth > 0 ? [{ name, named }] : []
    })
    // One alias a field, so that what is asked twice can always be merged.
    const named = (name: string) =>
      isSure(name) ? fc.constant(`${name}Sure: ${name}`) : fc.constantFrom(name, `${name}Again: ${name}`)
    const item: fc.Arbitrary<string>[] = [
      fc
        .tuple(fc.constantFrom('__typename', ...leaves).chain(named), directive)
        .map((parts) => parts.join('')),
      ...objects.map(({ name, named: its }) =>
        fc
          .tuple(named(name), directive, selection(its, depth - 1))
          .map(([head, directives, inner]) => `${head}${directives} { ${inner} }`),
      ),
    ]
    if (depth > 0) {
      item.push(
        fc
          .tuple(fc.constantFrom('...', `... on ${type.name}`), directive, selection(type, depth - 1))
          .map(([head, directives, inner]) => `${head}${directives} { ${inner} }`),
      )
      for (const possible of isInterfaceType(type) ? schema.getPossibleTypes(type) : []) {
        const inner = fc.tuple(directive, selection(possible, depth - 1))
        item.push(inner.map(([directives, text]) => `... on ${possible.name}${directives} { ${text} }`))
      }
    }
    return fc.array(fc.oneof(...item), { minLength: 1, maxLength: 5 }).map((items) => items.join(' '))
  }

  return fc
    .record({
      top: selection(payload, depthMax),
      fragment: selection(payload, depthMax),
      isSpread: fc.boolean(),
      alias: fc.constantFrom('', 'noted: '),
      variables: fc.oneof(
        fc.record({ yes: fc.boolean(), no: fc.boolean() }),
        fc.record({ no: fc.boolean() }),
      ),
    })
    .map(({ top, fragment, isSpread, alias, variables }) => {
      const head = 'subscription Random($yes: Boolean! = true, $no: Boolean!)'
      // Every variable is used, as the specification wants it.
      const used = '... @include(if: $yes) @skip(if: $no) { __typename }'
      const body = `${alias}${field}${rootArguments} { ${used} ${top} ${isSpread ? '...F' : ''} }`
      const tail = isSpread ? `\nfragment F on ${payload.name} { ${fragment} }` : ''
      return { source: `${head} { ${body} }${tail}`, variables }
    })
}
