/**
 * Stage 7, graphql. How the limits of a server reach what a schema reads that was made before there was a server: the schema
 * itself carries the way, so that tools which make another of it hand it on.
 */
import type { GraphQLSchema } from 'graphql'
import type { ReadLimits } from './paged-client.ts'

const EXTENSION = 'rowcastReads'

/** Notes who takes the limits of a server that serves the schema, beside whoever takes them already. */
export function takeReadLimits(schema: GraphQLSchema, take: (limits: ReadLimits) => void): void {
  const known = schema.extensions[EXTENSION]
  const both = (limits: ReadLimits): void => {
    if (typeof known === 'function') known(limits)
    take(limits)
  }
  schema.extensions = { ...schema.extensions, [EXTENSION]: both }
}

/** Gives the schema limits for what it reads, where it reads with rowcast; before its first operation. */
export function giveReadLimits(schema: GraphQLSchema, limits: ReadLimits): void {
  const take = schema.extensions[EXTENSION]
  if (typeof take === 'function') take(limits)
}
