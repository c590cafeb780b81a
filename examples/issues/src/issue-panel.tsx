/** One issue: its comments, live, and who has seen it. Looking at it is seeing it. */
import { useEffect, useRef, useState } from 'react'
import { useLiveList } from 'rowcast/react'
import { graphql } from '../generated/gql/gql.ts'
import type { CardFragment } from '../generated/gql/graphql.ts'
import type { Session } from './clients.ts'
import { Avatar, useFailure } from './parts.tsx'

const CommentsDocument = graphql(`
  subscription Comments($issueId: ID!, $after: Cursor) {
    commentChanged(initial: true, where: { issueId: { equals: $issueId } }, after: $after) {
      action
      cursor
      transition
      key {
        rowId
      }
      new {
        id
        body
        author {
          ...Person
        }
      }
    }
  }
`)

const CommentDocument = graphql(`
  mutation Comment($issueId: Int!, $body: String!, $mutationId: String!) {
    comment(issueId: $issueId, body: $body, mutationId: $mutationId)
  }
`)

const SeeDocument = graphql(`
  mutation See($issueId: Int!, $mutationId: String!) {
    see(issueId: $issueId, mutationId: $mutationId)
  }
`)

interface IssuePanelProps {
  readonly session: Session
  readonly issue: CardFragment
  /** Of the board: what is done here does not light up there. */
  readonly newMutationId: () => string
  readonly onClose: () => void
}

/** Beside the board. */
export function IssuePanel({ session, issue, newMutationId, onClose }: IssuePanelProps) {
  const issueId = Number(issue.id)
  const [draft, setDraft] = useState('')
  const [isSending, setIsSending] = useState(false)
  const sent = useRef('')
  const { fail, failure } = useFailure()
  const { rows } = useLiveList({
    client: session.changes,
    request: { query: CommentsDocument, variables: { issueId: issue.id } },
    key: 'id',
    sort: (a, b) => Number(a.id) - Number(b.id),
  })
  useEffect(() => {
    session.ask(SeeDocument, { issueId, mutationId: newMutationId() }).catch(fail)
  }, [session, issueId, newMutationId, fail])
  return (
    <aside aria-label={`Issue ${issue.id}`}>
      <button type="button" className="close" aria-label="Close" onClick={onClose}>
        ×
      </button>
      <h2>{issue.title}</h2>
      {failure}
      <p className="seen">
        {issue.views.length === 0
          ? 'Nobody has seen it yet.'
          : `Seen by ${issue.views.map(({ person }) => person.name).join(', ')}.`}
      </p>
      <ul>
        {rows.map(({ id, body, author }) => (
          <li key={id}>
            <Avatar person={author} />
            <p>
              <strong>{author.name}</strong>
              <br />
              {body}
            </p>
          </li>
        ))}
      </ul>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          // Once, however often it is asked for on a slow network.
          if (draft.trim() === '' || sent.current !== '') return
          const mutationId = newMutationId()
          sent.current = mutationId
          setIsSending(true)
          session
            .ask(CommentDocument, { issueId, body: draft, mutationId })
            .then(() => setDraft((now) => (now === draft ? '' : now)), fail)
            .finally(() => {
              sent.current = ''
              setIsSending(false)
            })
        }}
      >
        <label>
          A comment
          <textarea value={draft} rows={3} onChange={(event) => setDraft(event.target.value)} />
        </label>
        <button type="submit" className="button send" disabled={isSending}>
          Send
        </button>
      </form>
    </aside>
  )
}
