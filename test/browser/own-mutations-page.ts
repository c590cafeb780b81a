/** What a page does with its own mutations; bundled and run in a browser by the test beside it. */
import { createClient } from 'graphql-ws'
import { createLiveList, followList } from '../../src/client/client.ts'

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
/** Who keeps the list: this page, by changes, or the server, by patches each of which may be of several transactions. */
declare const keptBy: 'page' | 'server'

const shared = {
  client: createClient({
    url: `ws://${location.host}/graphql`,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
  }),
  key: 'id' as const,
  sort: (a: Tag, b: Tag) => a.name.localeCompare(b.name),
}

const note = (row: Tag | null | undefined, isOwn: boolean) => {
  if (isOwn) page.own.push(row?.name ?? '')
}

const keepHere = () =>
  createLiveList<Tag>({
    ...shared,
    request: {
      query: `subscription ($after: Cursor) {
        tagChanged(initial: true, after: $after) {
          cursor action transition key { rowId } new { id name } transaction { last metadata { mutationId } }
        }
      }`,
    },
    onChange: (change, { isOwn }) => note(change.new, isOwn),
  })

const keepThere = () =>
  followList<Tag>({
    ...shared,
    request: {
      query: `subscription {
        tagList(orderBy: [{ name: ASC }], every: 40) {
          cursor transactions { metadata { mutationId } }
          ... on TagListSnapshot { rows { id name } }
          ... on TagListPatch { operations { kind index key { rowId } row { id name } } }
        }
      }`,
    },
    onPatch: (operations, { isOwn }) => {
      for (const { row } of operations) note(row, isOwn)
    },
  })

const tags = keptBy === 'page' ? keepHere() : keepThere()

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
