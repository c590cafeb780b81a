/** A stranger's React app; bundled and run in a browser by the test beside it, with the React that the test says. */
import { createClient } from 'graphql-ws'
import { createElement as h, StrictMode, useState, version } from 'react'
import { createRoot } from 'react-dom/client'
import { useChanges, useFollowedList, useLiveList } from '../../src/adapters/react.ts'
import type { ChangeClient } from '../../src/client/change-client.ts'
import { TagChangesDocument, TagListDocument, TransactionsDocument } from '../generated/gql/graphql.ts'

/** What the page shows. */
export interface Props {
  readonly hooks: readonly ('list' | 'followed' | 'changes' | 'wrong')[]
  readonly take: number
  readonly name?: string
  /** Another component where it is another. */
  readonly round?: number
}

/** What the test reads and calls. */
export interface ReactPage {
  readonly version: string
  /** Operations that the client was asked for. */
  readonly asked: string[]
  readonly open: number
  /** Whose functions were called. */
  readonly called: number[]
  readonly renders: number
  set(props: Props): void
  /** Shows and settles a row of one's own. */
  add(name: string, commit: (mutationId: string) => Promise<void>): Promise<string>
  text(name: string): string
}

const socket = createClient({
  url: `ws://${location.host}/graphql`,
  retryAttempts: Number.POSITIVE_INFINITY,
  shouldRetry: () => true,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
})
const client: ChangeClient = {
  on: socket.on,
  subscribe(payload, sink) {
    const stop = socket.subscribe(payload, sink)
    if (payload.query.startsWith('{ changeCursor')) return stop
    state.asked.push(payload.query.match(/\w+ (\w+)/)?.[1] ?? '')
    state.open += 1
    let isOpen = true
    return () => {
      if (isOpen) state.open -= 1
      isOpen = false
      stop()
    }
  },
}
const state = { asked: [] as string[], called: [] as number[], open: 0, renders: 0 }
let set: (props: Props) => void = () => undefined
let calls: Pick<ReturnType<typeof useLiveList>, 'newMutationId' | 'show' | 'settled'> | null = null

const show = (name: string, value: unknown) => h('pre', { id: name }, JSON.stringify(value))
const messageOf = (error: unknown) => (error instanceof Error ? error.message : error)

/** Options are other objects in each render, as people write them. */
function Followed({ take, name }: Props) {
  const variables = { where: name === undefined ? null : { name: { startsWith: name } }, take }
  const { rows, status, totalCount, error } = useFollowedList({
    ...{ client, request: { query: TagListDocument, variables }, key: 'id' },
    initialRows: [],
  })
  return show('followed', [status, rows.map((row) => row.name), totalCount, messageOf(error)])
}

function Live({ name = '' }: Props) {
  const { rows, status, error, ...list } = useLiveList({
    client,
    request: { query: TagChangesDocument },
    key: 'id',
    where: (row) => row.name.startsWith(name),
    deps: [name],
  })
  calls = list as never
  return show('list', [status, rows.map((row) => row.name), messageOf(error)])
}

function Changes({ take }: Props) {
  state.renders += 1
  const { changes, status, error } = useChanges({
    ...{ client, request: { query: TransactionsDocument }, keep: 3 },
    onChange: () => state.called.push(take),
    onResync: () => undefined,
  })
  const actions = changes.flatMap((each) => each.changes.map(({ action }) => action))
  return show('changes', [status, actions, messageOf(error)])
}

function Wrong() {
  const { status, error } = useFollowedList<{ id: string }>({
    ...{ client, request: { query: 'subscription Wrong { nothing }' }, key: 'id' },
  })
  return show('wrong', [status, messageOf(error)])
}

const COMPONENTS = { list: Live, followed: Followed, changes: Changes, wrong: Wrong }

function App() {
  const [props, setProps] = useState<Props>({ hooks: [], take: 3 })
  set = setProps
  return props.hooks.map((name) => h(COMPONENTS[name], { ...props, key: `${name} ${props.round}` }))
}

const page: ReactPage = {
  version,
  get asked() {
    return state.asked
  },
  get open() {
    return state.open
  },
  get called() {
    return state.called
  },
  get renders() {
    return state.renders
  },
  set: (props) => set(props),
  async add(name, commit) {
    if (calls === null) throw new Error('The list is not shown.')
    const id = calls.newMutationId()
    calls.show(id, { action: 'INSERT', new: { id: `new ${id}`, name } })
    await commit(id)
    return calls.settled(id, { timeoutMs: 1 }).catch((error: { reason: string }) => error.reason)
  },
  text: (name) => document.getElementById(name)?.textContent ?? 'nothing',
}
Object.assign(globalThis, { page })
createRoot(document.body.appendChild(document.createElement('div'))).render(h(StrictMode, null, h(App)))
