/** The board: three columns that stay as the database is, and cards that move under one's hand before the server knows. */
import { type DragEvent, useRef, useState } from 'react'
import { MutationError } from 'rowcast/client'
import { useLiveList } from 'rowcast/react'
import { graphql } from '../generated/gql/gql.ts'
import type { CardFragment, PersonFragment, Status } from '../generated/gql/graphql.ts'
import type { Session } from './clients.ts'
import { IssuePanel } from './issue-panel.tsx'
import { Avatar } from './parts.tsx'

graphql(`
  fragment Card on Issue {
    id
    title
    status
    rank
    assignee {
      ...Person
    }
    comments {
      id
    }
    views {
      person {
        ...Person
      }
    }
  }
`)

// A card comes as well where its comments change, or who has seen it.
const IssuesDocument = graphql(`
  subscription Issues($projectId: ID!, $after: Cursor) {
    issueChanged(
      initial: true
      include: [comments, views]
      where: { projectId: { equals: $projectId } }
      after: $after
    ) {
      action
      cursor
      transition
      cause
      key {
        rowId
      }
      new {
        ...Card
      }
      via {
        relation
        action
      }
      transaction {
        last
        metadata {
          actor
          mutationId
        }
      }
    }
  }
`)

const MoveDocument = graphql(`
  mutation Move($id: Int!, $status: Status!, $rank: Float!, $mutationId: String!) {
    moveIssue(id: $id, status: $status, rank: $rank, mutationId: $mutationId)
  }
`)

const COLUMNS: readonly (readonly [Status, string])[] = [
  ['TODO', 'To do'],
  ['DOING', 'In progress'],
  ['DONE', 'Done'],
]

const LIT_MS = 2_000

interface BoardProps {
  readonly session: Session
  readonly people: readonly PersonFragment[]
  readonly projectId: string
}

/** The board of one project. */
export function Board({ session, people, projectId }: BoardProps) {
  const [lit, setLit] = useState<ReadonlyMap<string, string>>(new Map())
  const [failure, setFailure] = useState('')
  const [openId, setOpenId] = useState<string | null>(null)
  const moves = useRef<Promise<unknown>>(Promise.resolve())
  const list = useLiveList({
    client: session.changes,
    request: { query: IssuesDocument, variables: { projectId } },
    key: 'id',
    sort: (a, b) => a.rank - b.rank || Number(a.id) - Number(b.id),
    // What others do is lit up in their colour; what one does oneself, one has seen.
    onChange(change, { isOwn }) {
      const { actor } = (change.transaction?.metadata ?? {}) as { readonly actor?: string }
      const id = change.new?.id
      if (isOwn || id === undefined || change.cause === 'INITIAL') return
      const color = people.find((person) => person.id === actor)?.color ?? '#8a94a3'
      setLit((known) => new Map(known).set(id, color))
      setTimeout(() => setLit((known) => new Map([...known].filter(([each]) => each !== id))), LIT_MS)
    },
  })
  const { rows, error } = list

  async function move(issue: CardFragment, status: Status, before: CardFragment | undefined) {
    const column = rows.filter((row) => row.status === status && row.id !== issue.id)
    const at = before === undefined ? column.length : column.findIndex(({ id }) => id === before.id)
    const [above, below] = [column[at - 1]?.rank, column[at]?.rank]
    const rank =
      above === undefined ? (below ?? 1) - 1 : below === undefined ? above + 1 : (above + below) / 2
    if (status === issue.status && rank === issue.rank) return
    const mutationId = list.newMutationId()
    setFailure('')
    list.show(mutationId, { action: 'UPDATE', key: { rowId: issue.id }, new: { ...issue, status, rank } })
    try {
      // One after the other, as they were made: on a slow network the first could come last.
      const moved = moves.current.then(() =>
        session.ask(MoveDocument, { id: Number(issue.id), status, rank, mutationId }),
      )
      moves.current = moved.catch(() => undefined)
      await moved
      await list.settled(mutationId)
    } catch (reason) {
      // The server has it: its change comes late, and not never.
      if (reason instanceof MutationError) return
      list.revert(mutationId)
      setFailure(
        `“${issue.title}” is back where it was: ${reason instanceof Error ? reason.message : reason}`,
      )
    }
  }

  const open = rows.find(({ id }) => id === openId)
  return (
    <>
      {failure === '' ? null : <p role="alert">{failure}</p>}
      {error instanceof Error ? <p role="alert">{error.message}</p> : null}
      <div className="board">
        {COLUMNS.map(([status, name], at) => (
          <Column
            key={status}
            name={name}
            isFirst={at === 0}
            isLast={at === COLUMNS.length - 1}
            cards={rows.filter((row) => row.status === status)}
            lit={lit}
            onOpen={setOpenId}
            onDrop={(id, before) => {
              const issue = rows.find((row) => row.id === id)
              if (issue !== undefined) void move(issue, status, before)
            }}
            onStep={(issue, by) => {
              const next = COLUMNS[at + by]
              if (next !== undefined) void move(issue, next[0], undefined)
            }}
          />
        ))}
      </div>
      {open === undefined ? null : (
        <IssuePanel
          key={open.id}
          session={session}
          issue={open}
          newMutationId={list.newMutationId}
          onClose={() => setOpenId(null)}
        />
      )}
    </>
  )
}

interface Place {
  readonly isFirst: boolean
  readonly isLast: boolean
}

interface ColumnProps extends Place {
  readonly name: string
  readonly cards: readonly CardFragment[]
  readonly lit: ReadonlyMap<string, string>
  readonly onOpen: (id: string) => void
  readonly onDrop: (id: string, before: CardFragment | undefined) => void
  readonly onStep: (issue: CardFragment, by: 1 | -1) => void
}

function Column({ name, cards, lit, onOpen, onDrop, onStep, ...place }: ColumnProps) {
  const drop = (event: DragEvent<HTMLElement>) => {
    event.preventDefault()
    const dropped = event.dataTransfer.getData('text/plain')
    const shown = [...event.currentTarget.querySelectorAll('article')]
    // The card itself is no place for it: dropped where it was, it stays there.
    const below = shown.find((card) => {
      const { top, height } = card.getBoundingClientRect()
      return card.dataset['id'] !== dropped && event.clientY < top + height / 2
    })
    onDrop(
      dropped,
      cards.find(({ id }) => id === below?.dataset['id']),
    )
  }
  return (
    <section aria-label={name} onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <h2>
        {name} <span className="count">{cards.length}</span>
      </h2>
      {cards.map((card) => (
        <Card
          key={card.id}
          card={card}
          {...place}
          color={lit.get(card.id)}
          onOpen={() => onOpen(card.id)}
          onStep={(by) => onStep(card, by)}
        />
      ))}
    </section>
  )
}

interface CardProps extends Place {
  readonly card: CardFragment
  /** Of whoever has just changed it. */
  readonly color: string | undefined
  readonly onOpen: () => void
  readonly onStep: (by: 1 | -1) => void
}

function Card({ card, color, isFirst, isLast, onOpen, onStep }: CardProps) {
  const { id, title, assignee, comments, views } = card
  const seenBy = views.map(({ person }) => person)
  return (
    <article
      draggable
      data-id={id}
      data-lit={color === undefined ? undefined : ''}
      style={color === undefined ? {} : { outlineColor: color }}
      onDragStart={(event) => event.dataTransfer.setData('text/plain', id)}
    >
      <button type="button" className="title" onClick={onOpen}>
        {title}
      </button>
      <footer>
        <span className="number">#{id}</span>
        {comments.length === 0 ? null : (
          <span className="comments">
            {comments.length} {comments.length === 1 ? 'comment' : 'comments'}
          </span>
        )}
        <span className="spring" />
        {assignee === null || assignee === undefined ? null : (
          <Avatar person={assignee} title={`${assignee.name} works on it`} />
        )}
        <span className="steps">
          <button
            type="button"
            disabled={isFirst}
            aria-label={`Move ${title} left`}
            onClick={() => onStep(-1)}
          >
            ←
          </button>
          <button
            type="button"
            disabled={isLast}
            aria-label={`Move ${title} right`}
            onClick={() => onStep(1)}
          >
            →
          </button>
        </span>
        {seenBy.length === 0 ? null : (
          <span className="seen">seen by {seenBy.map(({ name }) => name).join(', ')}</span>
        )}
      </footer>
    </article>
  )
}
