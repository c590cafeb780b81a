/** What `rowcast replay --serve` makes of a config: what it leaves out of it may show nobody more than `serve` does. */
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createReplayService } from '../../src/cli/replay-service.ts'
import type { Config } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'

/** By the names of what is checked: why it need not be looked at. One that is new has to be used, or to stand here. */
const LEFT_OUT = {
  sources: 'one of them is chosen',
  leftOut: 'the catalog is without them',
  slot: 'of the source',
  isSlotDefault: 'of the source',
  publication: 'of the source',
  livePage: 'there is no such page',
  metrics: 'there is no such page',
  canExplain: 'the schema has no such field',
  metadata: 'the pipeline reads it',
  showMetadata: 'the schema has no such field',
  durability: 'of the source',
  slowSubscribers: 'bounds of memory; nobody may choose `overflow`',
  lists: 'a recording has no rows to keep lists of',
  relatedRows: 'of the source',
  sessions: 'refused before: CLI_NO_SESSIONS',
  dev: 'of another command',
} satisfies Partial<Record<keyof Config, string>>

const resolve = (more: object) =>
  resolveConfig(
    { catalog, createPrisma: () => ({ async $connect() {}, async $disconnect() {} }), port: 0, ...more },
    { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' },
  )

const serviceOf = (config: Config) =>
  createReplayService(
    { config } as never,
    { systemId: '1', timeline: 1 } as never,
    { hasOldImages: () => true } as never,
    { print() {}, style: (_: string, text: string) => text } as never,
  )

it('looks at each part of the config that says who may see what', async () => {
  const seen = new Set<string | symbol>()
  const config = resolve({})
  await serviceOf(
    new Proxy(config, {
      get(target, name) {
        seen.add(name)
        return Reflect.get(target, name)
      },
    }),
  )
  expect(Object.keys(config).filter((name) => !seen.has(name))).toEqual(
    Object.keys(config).filter((name) => name in LEFT_OUT),
  )
})

it('serves the schema of the config, and not all that its catalog has', async () => {
  const query = new GraphQLObjectType({
    name: 'Query',
    fields: { mine: { type: GraphQLString, resolve: () => 'mine' } },
  })
  const service = await serviceOf(resolve({ schema: () => new GraphQLSchema({ query }) }))
  const { url } = await service.start()
  const ask = async (text: string) => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ query: text })
    return (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).json()
  }
  expect(await ask('{ mine }')).toEqual({ data: { mine: 'mine' } })
  expect(await ask('{ posts { id } }')).not.toHaveProperty('data')
  await service.stop()
})
