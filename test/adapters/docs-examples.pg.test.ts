/** The examples of docs/client.md as they stand there, but for the address, over a real server: each shows what the database has. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

const ROOT = join(import.meta.dirname, '../..')
const PATIENCE = { timeout: 60_000, interval: 20 }

type Tag = { readonly id: string; readonly name: string }
/** A module of an example. Its types are those of packages that it is about. */
type Example = Readonly<Record<string, never>>

interface Shown {
  readonly read: () => readonly Tag[]
  readonly stop: () => unknown
}

interface ListLike {
  readonly state: { readonly status: string; readonly error: unknown; readonly rows: readonly Tag[] }
  stop(): void
}

const ofList = (list: ListLike): Shown => ({
  read() {
    if (list.state.status === 'ended') throw list.state.error
    return list.state.rows
  },
  stop: () => list.stop(),
})

/** By the heading above it: what the example leaves to the application, and how what it shows is read. */
const EXAMPLES: Readonly<
  Record<string, { readonly names: string; readonly show: (example: never) => Shown }>
> = {
  'A live list': { names: 'tags', show: ({ tags }: { tags: ListLike }) => ofList(tags) },
  'A list that the server keeps': {
    names: 'newest',
    show: ({ newest }: { newest: ListLike }) => ofList(newest),
  },
  'One’s own changes': { names: 'tags', show: ({ tags }: { tags: ListLike }) => ofList(tags) },
  'With TanStack DB': {
    names: '',
    show: ({
      tags,
    }: {
      tags: { toArray: readonly Tag[]; preload(): Promise<void>; cleanup(): Promise<void> }
    }) => {
      tags.preload()
      return { read: () => tags.toArray, stop: () => tags.cleanup() }
    },
  },
  'With urql': {
    names: 'TAGS',
    show: ({ urql, TAGS }: { urql: UrqlLike; TAGS: string }) => {
      let rows: readonly Tag[] = []
      const query = urql.query(TAGS, {}).subscribe(({ data }) => {
        rows = data?.tags ?? rows
      })
      const changed =
        'subscription { tagChanged { cursor action key { rowId } old { rowId } new { id name } } }'
      const changes = urql.subscription(changed, {}).subscribe(() => undefined)
      return {
        read: () => rows,
        stop() {
          query.unsubscribe()
          changes.unsubscribe()
        },
      }
    },
  },
  'With Apollo Client': {
    names: 'apollo',
    show: ({ apollo, TAGS, tags }: { apollo: ApolloLike; TAGS: object; tags: { stop(): void } }) => ({
      read: () => apollo.readQuery({ query: TAGS })?.tags ?? [],
      stop: () => tags.stop(),
    }),
  },
}

interface UrqlLike {
  query(text: string, variables: object): Observed
  subscription(text: string, variables: object): Observed
}
interface Observed {
  subscribe(next: (result: { readonly data?: { readonly tags?: readonly Tag[] } }) => void): {
    unsubscribe(): void
  }
}
interface ApolloLike {
  readQuery(options: { readonly query: object }): { readonly tags: readonly Tag[] } | null
}

/** Blocks of TypeScript by the heading above them; of several the first. */
async function readExamples(): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(ROOT, 'docs/client.md'), 'utf8')
  const sections = text.split(/^##+ /m).slice(1)
  const blocks = sections.flatMap((section) => {
    const block = /^```ts\n([\s\S]*?)^```/m.exec(section)?.[1]
    return block === undefined ? [] : [[section.slice(0, section.indexOf('\n')), block] as const]
  })
  return new Map(blocks)
}

/** The example for the server at `url`. On a page an address needs no host. */
function addressed(block: string, url: string): string {
  const socket = `${url.replace('http', 'ws')}/graphql`
  return block
    .replaceAll('ws://127.0.0.1:4000/graphql', socket)
    .replaceAll('http://127.0.0.1:4000/graphql', `${url}/graphql`)
    .replace(/(create(?:Socket)?Client\(\{\s*url: )'\/graphql'(?=, retry|,\s*retry)/g, `$1'${socket}'`)
    .replaceAll("'urql'", "'@urql/core'")
    .replaceAll("'/graphql'", `'${url}/graphql'`)
}

const named = (rows: readonly Tag[]) => rows.map(({ id, name }) => `${id} ${name}`).sort()

it('show what the database has, while it changes', { timeout: 240_000 }, async () => {
  await using database = await openDatabase({ migrate: true })
  // Two of them select metadata.
  await using running = await openService(database, {
    config: { models: { Tag: {} }, public: true, showMetadata: { fields: () => ['mutationId'] } },
  })
  await running.service.rowcast.ready()
  await database.query(`INSERT INTO "Tag" (name) VALUES ('first'), ('second')`)
  const examples = await readExamples()
  await mkdir(join(ROOT, 'test/generated'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, 'test/generated/client-examples-'))
  vi.stubGlobal('WebSocket', WebSocket)
  vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const shown = new Map<string, Shown>()
  try {
    for (const [index, [heading, { names, show }]] of Object.entries(EXAMPLES).entries()) {
      const block = examples.get(heading.replace('’', "'"))
      expect(block, heading).toBeDefined()
      const file = join(folder, `example-${index}.ts`)
      await writeFile(file, `${addressed(block ?? '', running.url)}\nexport { ${names} }\n`)
      shown.set(heading, show((await import(file)) as Example as never))
    }
    const agree = async () => {
      const rows = await database.query<Tag>('SELECT id::text, name FROM "Tag"')
      for (const [heading, { read }] of shown)
        await expect.poll(() => named(read()), { ...PATIENCE, message: heading }).toEqual(named(rows))
    }
    await agree()
    // The changes of urql are of what comes once it is there.
    const subscribed = () => running.service.rowcast.status().subscriptions.get('Tag') ?? 0
    await expect.poll(subscribed, PATIENCE).toBeGreaterThanOrEqual(5)
    for (const sql of [
      `INSERT INTO "Tag" (name) VALUES ('third')`,
      `UPDATE "Tag" SET name = 'other' WHERE name = 'first'`,
      `DELETE FROM "Tag" WHERE name = 'second'`,
    ]) {
      await database.query(sql)
      await agree()
    }
  } finally {
    for (const { stop } of shown.values()) await stop()
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
    await rm(folder, { recursive: true })
  }
})
