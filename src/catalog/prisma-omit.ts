/** Stage 3, catalog. The `omit` of a Prisma Client's constructor: fields that none of its rows has. */
import { memberOf } from '../member-of.ts'
import type { ModelCatalog, ModelSpec } from './model-catalog.ts'
import { modelsOfPrisma, omitOfPrisma } from './prisma-runtime.ts'

const NONE: ReadonlySet<string> = new Set()

/** Fields of a model that the client leaves out unless a query says otherwise. Extended clients have those of their origin. */
export function omittedByPrisma(client: unknown, model: string): ReadonlySet<string> {
  const fields = memberOf(omitOfPrisma(client), delegateName(model))
  if (typeof fields !== 'object' || fields === null) return NONE
  return new Set(Object.entries(fields).flatMap(([name, isOmitted]) => (isOmitted === true ? [name] : [])))
}

/** The catalog in which what the client omits is marked as `@rowcast.omit` marks it; the same where it omits nothing. */
export function withPrismaOmit<Catalog extends ModelCatalog>(catalog: Catalog, client: unknown): Catalog {
  if (omitOfPrisma(client) === null) return catalog
  const models = Object.entries<ModelSpec>(catalog.models).map(([name, spec]) => {
    const omitted = omittedByPrisma(client, prismaNameOf(spec))
    const fields = spec.fields.map((field) =>
      omitted.has(field.name) ? { ...field, isOmitted: true } : field,
    )
    return [name, omitted.size === 0 ? spec : { ...spec, fields }]
  })
  return { ...catalog, models: Object.fromEntries(models) }
}

/**
 * The client as resolvers need it: its rows have every field, so that policies can judge them; what it omits is not in the
 * schema. The same client where it omits nothing.
 */
export function withWholeRows<Client extends object>(client: Client): Client {
  if (omitOfPrisma(client) === null) return client
  const models = modelsOfPrisma(client)
  const byDelegate = new Map(Object.keys(models).map((name) => [delegateName(name), name]))
  return whole(client)

  function whole<Target extends object>(of: Target): Target {
    // One for each model, as the client has them: reads of one turn share a query.
    const delegates = new Map<PropertyKey, object>()
    return new Proxy(of, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        const model = byDelegate.get(String(name))
        if (model === undefined) {
          if (typeof value !== 'function') return value
          const method: unknown = value.bind(target)
          return name === '$transaction' ? wholeTransaction(method as Transact) : method
        }
        const known = delegates.get(name) ?? wholeDelegate(Object(value), (query) => complete(query, model))
        delegates.set(name, known)
        return known
      },
    })
  }

  /** Within a transaction the rows are as whole as without. */
  function wholeTransaction(transact: Transact): Transact {
    return (run, ...options) =>
      transact(
        typeof run === 'function'
          ? (session: unknown) => Reflect.apply(run, undefined, [whole(Object(session))])
          : run,
        ...options,
      )
  }

  function complete(query: Query, model: string): Query {
    const { select, include, omit } = query
    if (select !== undefined) return { ...query, select: nested(select, model) }
    const names = [...omittedByPrisma(client, model)]
    const shown = { ...Object.fromEntries(names.map((name) => [name, false])), ...omit }
    const more = include === undefined ? {} : { include: nested(include, model) }
    return { ...query, ...more, ...(Object.keys(shown).length === 0 ? {} : { omit: shown }) }
  }

  function nested(selection: Selection, model: string): Selection {
    const fields = models[model]?.fields ?? []
    const entries = Object.entries(selection).map(([name, value]) => {
      const relation = fields.find((field) => field.name === name && field.kind === 'object')
      if (relation === undefined || value === false || value === undefined) return [name, value]
      return [name, complete(value === true ? {} : Object(value), relation.type)]
    })
    return Object.fromEntries(entries)
  }
}

type Selection = Readonly<Record<string, unknown>>

type Transact = (run: unknown, ...options: readonly unknown[]) => unknown

interface Query {
  readonly select?: Selection | undefined
  readonly include?: Selection | undefined
  readonly omit?: Selection | undefined
}

const READS: ReadonlySet<string> = new Set([
  ...['findUnique', 'findUniqueOrThrow', 'findFirst', 'findFirstOrThrow', 'findMany'],
])

function wholeDelegate(delegate: object, complete: (query: Query) => Query): object {
  return new Proxy(delegate, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      if (!READS.has(String(name))) return method.bind(target)
      return (query: Query = {}) => method.call(target, complete(query))
    },
  })
}

/** What the Prisma schema calls the model. */
export function prismaNameOf({ name, prismaName = name }: Pick<ModelSpec, 'name' | 'prismaName'>): string {
  return prismaName
}

/** The client's name for a model: `userRole` of `UserRole`. */
export function delegateName(model: string): string {
  return `${model.slice(0, 1).toLowerCase()}${model.slice(1)}`
}
