/** A schema to attack: fields as deep as one likes, answers as long as one likes, and a live source. */
import { setTimeout as delay } from 'node:timers/promises'
import { buildSchema, type GraphQLSchema } from 'graphql'
import type { TickSource } from '../server/tick-schema.ts'

const SDL = `
  enum Rank { CAPTAIN SAILOR }
  type Node { node: Node value: Int }
  type Query { hello: String viewer: String node: Node rank(rank: Rank): String text(bytes: Int!): String fails: String slow: String }
  type Mutation { touch: String }
  type Subscription { ticks: Int viewer: String node: Node blobs(bytes: Int!): String }
`

/** What `slow` takes. */
const SLOW_MS = 500

/** What a context may hold. */
export interface ProbeContext {
  readonly viewer?: string
}

/** What the schema reports to the test. */
export interface Probe {
  readonly source: TickSource
  /** Each context object that a resolver was given. */
  readonly contexts: object[]
}

/** Builds it; the source is asked for with each subscription. */
export function buildProbeSchema(probe: Probe): GraphQLSchema {
  const schema = buildSchema(SDL)
  const { Query, Mutation, Subscription, Node } = schema.getTypeMap() as Record<string, never>
  const queries = fieldsOf(Query)
  const seen = (context: ProbeContext): string | null => {
    probe.contexts.push(context)
    return context.viewer ?? null
  }
  resolve(queries, 'hello', () => 'world')
  resolve(queries, 'viewer', (_root, _args, context) => seen(context))
  resolve(queries, 'node', () => ({}))
  resolve(queries, 'rank', () => 'yes')
  resolve(queries, 'text', (_root, { bytes }) => 'x'.repeat(bytes ?? 0))
  resolve(queries, 'slow', () => delay(SLOW_MS, 'late'))
  resolve(queries, 'fails', () => {
    throw new Error('password=hunter2\n    at secret-row-42')
  })
  resolve(fieldsOf(Node), 'node', () => ({}))
  resolve(fieldsOf(Mutation), 'touch', () => 'touched')
  for (const [name, field] of Object.entries(fieldsOf(Subscription))) {
    field.subscribe = () => probe.source
    field.resolve = (value, { bytes }, context) => {
      if (name === 'viewer') return seen(context)
      if (name === 'blobs') return 'x'.repeat(bytes ?? 0)
      return name === 'ticks' ? value : {}
    }
  }
  return schema
}

type Resolver = (root: unknown, args: { bytes?: number }, context: ProbeContext) => unknown
type Fields = Record<string, { resolve?: Resolver; subscribe?: () => TickSource }>

function fieldsOf(type: { getFields(): unknown } | undefined): Fields {
  return (type?.getFields() ?? {}) as Fields
}

function resolve(fields: Fields, name: string, resolver: Resolver): void {
  const field = fields[name]
  if (field !== undefined) field.resolve = resolver
}
