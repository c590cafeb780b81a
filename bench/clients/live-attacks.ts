/** Attacks by what a change makes the server read or keep: related rows, whole transactions, lists. */
import { type Attack, type AttackArena, subscribe } from './attack.ts'
import type { RawWebSocket } from './raw-websocket.ts'

const LISTED =
  'subscription ($where: CommentWhere, $every: Int) { commentList(where: $where, orderBy: [{ id: DESC }], take: 1000, every: $every) { ... on CommentListSnapshot { rows { id } } ... on CommentListPatch { operations { kind index row { id } } } } }'

/** What each change of a comment is asked for: three relations, one behind the other and side by side. */
const shown = (alias: string): string =>
  `new { ${alias}: id body post { id title author { id email } comments(take: 20) { id body } } replies(take: 10) { id } }`

/** Lists that differ from each other by no more than how long they wait between two patches. */
const STAGGERED_MS = 20

export const LIVE_ATTACKS = {
  /** Each change of a comment asks for related rows, for each subscription in words of its own. */
  async 'relations of changes'(arena) {
    await openAll(arena, (at, id) =>
      subscribe(String(id), `subscription { commentChanged { ${shown(`a${at}_${id}`)} } }`),
    )
  },
  /** Whole transactions, small and of a thousand changes, each of which asks for related rows. */
  async 'whole transactions'(arena) {
    await openAll(arena, (at, id) => {
      const change = `... on CommentUpdated { ${shown(`a${at}_${id}`)} }`
      return subscribe(
        String(id),
        `subscription { changes(of: { comment: {}, order: {} }) { cursor isLast changes { __typename ${change} } } }`,
      )
    })
  },
  /** As many different lists as are let in, each as long as may be, of rows that change all the time. */
  async 'live lists'(arena) {
    await openLists(arena, (n) => ({ where: { id: { gt: String(n) } } }))
  },
  /** The same, and what has changed of them waits. */
  async 'live lists that nobody reads'(arena) {
    for (const socket of await openLists(arena, (n) => ({ where: { id: { gt: String(n) } } }))) socket.stall()
  },
  /** One list of which each client asks for another pace, so that nothing is due for two of them at once. */
  async 'live lists of many paces'(arena) {
    await openLists(arena, (n) => ({ where: {}, every: STAGGERED_MS + n }))
  },
} satisfies Record<string, Attack>

/** Twenty-five sockets, each with as many lists as its budget lets in. */
function openLists(arena: AttackArena, variablesOf: (n: number) => object): Promise<readonly RawWebSocket[]> {
  const perSocket = arena.count(45)
  return openEach(arena, { sockets: 25, perSocket: 45 }, (at, id) =>
    subscribe(String(id), LISTED, variablesOf(at * perSocket + id)),
  )
}

/** Ten sockets with as many subscriptions as are let in. */
const openAll = (arena: AttackArena, messageOf: (at: number, id: number) => object) =>
  openEach(arena, { sockets: 10, perSocket: 90 }, messageOf)

async function openEach(
  arena: AttackArena,
  { sockets, perSocket }: { readonly sockets: number; readonly perSocket: number },
  messageOf: (at: number, id: number) => object,
): Promise<readonly RawWebSocket[]> {
  const opened: RawWebSocket[] = []
  for (let at = 0; at < arena.count(sockets); at += 1) {
    const socket = await arena.connect()
    opened.push(socket)
    for (let id = 0; id < arena.count(perSocket); id += 1) arena.send(socket, messageOf(at, id))
  }
  return opened
}
