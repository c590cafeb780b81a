/**
 * rowcast/client where React Native runs it: bundled as Metro would find it, in a realm that has what Hermes and React Native have, and no more: no
 * document, no TextDecoder, no `crypto`, no copying methods of arrays, and a `fetch` that gives no part of a response before its end.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext, Script } from 'node:vm'
import { rolldown } from 'rolldown'
import { beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Operation, openKitServer } from './kit-server.ts'

const ENTRY = `
  export { createClient } from 'graphql-ws'
  export * from '${join(import.meta.dirname, '../../src/client/client.ts')}'
`

/** What V8 has and Hermes of React Native 0.85 does not, or did not some versions ago. */
const MISSING = `
  for (const name of ['toSorted', 'toReversed', 'toSpliced', 'with', 'findLast', 'findLastIndex']) delete Array.prototype[name]
  for (const name of ['union', 'intersection', 'difference', 'symmetricDifference', 'isSubsetOf', 'isSupersetOf', 'isDisjointFrom']) delete Set.prototype[name]
  delete Array.fromAsync; delete Object.groupBy; delete Map.groupBy; delete Promise.withResolvers; delete Promise.try
  delete globalThis.Iterator; delete globalThis.SharedArrayBuffer; delete globalThis.Atomics; delete globalThis.WebAssembly
`

/** Of the package that React Native brings: without a reason, and without \`any\` and \`timeout\`. */
class Signal {
  aborted = false
  readonly #listeners = new Set<() => void>()
  addEventListener(_: string, listener: () => void): void {
    this.#listeners.add(listener)
  }
  removeEventListener(_: string, listener: () => void): void {
    this.#listeners.delete(listener)
  }
  abort(): void {
    this.aborted = true
    for (const listener of this.#listeners) listener()
  }
}

class Controller {
  readonly signal = new Signal()
  abort(): void {
    if (!this.signal.aborted) this.signal.abort()
  }
}

/** Of whatwg-fetch: text and JSON, and no \`body\`. */
class NativeResponse {
  readonly ok = true
}

type Kit = typeof import('../../src/client/client.ts') &
  Pick<typeof import('graphql-ws'), 'createClient'> & {
    /** Of that realm: what it makes has the methods that there are. */
    readonly parse: (text: string) => readonly Tag[]
  }
let bundle: Script

beforeAll(async () => {
  const build = await rolldown({
    input: 'entry',
    platform: 'neutral',
    logLevel: 'silent',
    resolve: { conditionNames: ['react-native', 'import', 'default'] },
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? '\0entry' : null),
        load: (id) => (id === '\0entry' ? ENTRY : null),
      },
    ],
  })
  const { output } = await build.generate({ format: 'iife', name: 'kit' })
  await build.close()
  bundle = new Script(`${MISSING}\n${output[0].code}\n({ ...kit, parse: JSON.parse })`)
}, 60_000)

function openKit(): Kit {
  const globals = {
    ...{ WebSocket, AbortController: Controller, Response: NativeResponse, performance },
    ...{ setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, console },
    fetch: () => new Promise(() => undefined),
  }
  return bundle.runInContext(createContext(globals)) as Kit
}

interface Tag {
  readonly id: string
  readonly name: string
}
const query =
  'subscription ($after: Cursor) { tagChanged(after: $after) { cursor action key { rowId } new { id name } } }'
const names = (rows: readonly Tag[]) => rows.map(({ name }) => name)

it('keeps a sorted list over WebSocket', async () => {
  const operations: Operation[] = []
  await using server = await openKitServer((operation) => operations.push(operation))
  const { createClient, createLiveList, parse } = openKit()
  const client = createClient({ url: server.url.replace('http', 'ws') })
  const list = createLiveList<Tag>({
    client,
    load: async () => parse('[{ "id": "1", "name": "c" }, { "id": "2", "name": "a" }]'),
    request: { query },
    key: 'id',
    sort: (a, b) => (a.name < b.name ? -1 : 1),
  })
  list.listen(() => undefined)
  await expect.poll(() => names(list.state.rows)).toEqual(['a', 'c'])
  await expect.poll(() => operations.length).toBe(1)
  let count = 0
  const send = (change: object) => {
    count += 1
    operations[0]?.next({ data: { tagChanged: { cursor: `c${count}`, old: null, ...change } } })
  }
  send({ action: 'INSERT', key: { rowId: '3' }, new: { id: '3', name: 'b' } })
  await expect.poll(() => names(list.state.rows)).toEqual(['a', 'b', 'c'])
  send({ action: 'UPDATE', key: { rowId: '2' }, new: { id: '2', name: 'd' } })
  await expect.poll(() => names(list.state.rows)).toEqual(['b', 'c', 'd'])
  send({ action: 'DELETE', key: { rowId: '1' }, new: null })
  await expect.poll(() => names(list.state.rows)).toEqual(['b', 'd'])
  expect(list.state.error).toBeNull()
  list.stop()
  await client.dispose()
})

it('says that event streams need another `fetch`, and does not wait for ever', async () => {
  const { createSseClient } = openKit()
  const ended = new Promise((resolve) => {
    createSseClient({ url: 'http://127.0.0.1:1/graphql' }).subscribe(
      { query },
      { next: () => undefined, error: resolve, complete: () => resolve('completed') },
    )
  })
  expect(await ended).toMatchObject({ message: expect.stringContaining('expo/fetch') })
})

it('neither the kit nor what stands beside it calls what Hermes lacks', () => {
  const lacking =
    /\.(?:toSorted|toReversed|toSpliced|with|findLast|findLastIndex)\(|\b(?:Array\.fromAsync|(?:Object|Map)\.groupBy|Promise\.(?:withResolvers|try)|AbortSignal\.(?:any|timeout)|structuredClone|randomUUID)\b/
  const found = ['client', 'adapters'].flatMap((folder) => {
    const path = join(import.meta.dirname, '../../src', folder)
    return readdirSync(path).filter((file) => {
      const code = readFileSync(join(path, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
      return lacking.test(code)
    })
  })
  expect(found).toEqual([])
})
