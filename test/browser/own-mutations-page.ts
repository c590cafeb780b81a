/** What a page does with its own mutations; bundled and run in a browser by the test beside it. */
import { createClient } from 'graphql-ws'
import { createLiveList } from '../../src/client/client.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

/** What the test reads and calls. */
export interface PageUnderTest {
  readonly pictures: string[]
  readonly own: string[]
  status(): string
  /** Shows it, has it written by the test, and waits for it. */
  add(name: string): Promise<string>
}

declare const commit: (name: string, mutationId: string) => Promise<void>

const tags = createLiveList<Tag>({
  client: createClient({
    url: `ws://${location.host}/graphql`,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
  }),
  request: {
    query: `subscription ($after: Cursor) {
      tagChanged(initial: true, after: $after) {
        cursor action transition key { rowId } new { id name } transaction { last metadata { mutationId } }
      }
    }`,
  },
  key: 'id',
  sort: (a, b) => a.name.localeCompare(b.name),
  onChange: (change, { isOwn }) => {
    if (isOwn) page.own.push(change.new?.name ?? '')
  },
})

const page: PageUnderTest = {
  ...{ pictures: [], own: [] },
  status: () => tags.state.status,
  async add(name) {
    const id = tags.newMutationId()
    tags.show(id, { action: 'INSERT', new: { id: `new ${id}`, name } })
    await commit(name, id)
    return tags.settled(id)
  },
}
Object.assign(globalThis, { page })

const root = document.body.appendChild(document.createElement('ul'))
const shown = () => Array.from(root.children, ({ textContent }) => textContent).join(' ')
new MutationObserver(() => page.pictures.push(shown())).observe(root, { childList: true })
tags.listen(() => {
  root.replaceChildren(
    ...tags.state.rows.map(({ name }) => Object.assign(document.createElement('li'), { textContent: name })),
  )
})
