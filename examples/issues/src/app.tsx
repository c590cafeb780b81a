/** The page: who signed in, his projects, and the board of one of them. */
import { useEffect, useMemo, useState } from 'react'
import { useLiveList } from 'rowcast/react'
import { graphql } from '../generated/gql/gql.ts'
import type { PersonFragment } from '../generated/gql/graphql.ts'
import { Board } from './board.tsx'
import { type Session, signIn } from './clients.ts'
import { Members } from './members.tsx'
import { Avatar, useFailure } from './parts.tsx'

graphql(`
  fragment Person on Person {
    id
    name
    color
  }
`)

const PeopleDocument = graphql(`
  query People {
    people {
      ...Person
    }
  }
`)

const ProjectsDocument = graphql(`
  subscription Projects($after: Cursor) {
    projectChanged(initial: true, after: $after) {
      action
      cursor
      transition
      key {
        rowId
      }
      new {
        id
        name
        workspace {
          id
          name
        }
      }
    }
  }
`)

/** Everybody, and who of them looks: in the address, so that two windows are two people. */
export function App() {
  const [viewer, setViewer] = useState(() => new URLSearchParams(location.search).get('as'))
  const [people, setPeople] = useState<readonly PersonFragment[]>([])
  const { fail, failure } = useFailure()
  useEffect(() => {
    signIn('')
      .ask(PeopleDocument, {})
      .then(({ people: all }) => setPeople(all), fail)
  }, [fail])
  const session = useMemo(() => (viewer === null ? null : signIn(viewer)), [viewer])
  if (session !== null) return <Tracker key={session.viewer} session={session} people={people} />
  return (
    <main className="sign-in">
      <h1>Issues</h1>
      {failure}
      <p>Who are you? Open a second window, and be somebody else.</p>
      <ul>
        {people.map((person) => (
          <li key={person.id}>
            <button
              type="button"
              className="button"
              onClick={() => {
                history.replaceState(null, '', `?as=${person.id}`)
                setViewer(person.id)
              }}
            >
              <Avatar person={person} /> {person.name}
            </button>
          </li>
        ))}
      </ul>
    </main>
  )
}

const STATUS = {
  loading: 'Loading …',
  live: 'Live',
  reconnecting: 'Connection lost. Reconnecting …',
  ended: 'Ended',
} as const

function Tracker({
  session,
  people,
}: {
  readonly session: Session
  readonly people: readonly PersonFragment[]
}) {
  const { rows, status } = useLiveList({
    client: session.changes,
    request: { query: ProjectsDocument },
    key: 'id',
  })
  const [chosen, setChosen] = useState<string | null>(null)
  const project = rows.find(({ id }) => id === chosen) ?? rows[0]
  const me = people.find(({ id }) => id === session.viewer)
  return (
    <>
      <header>
        <h1 className="brand">Issues</h1>
        <nav aria-label="Projects">
          {rows.map(({ id, name, workspace }) => (
            <button
              key={id}
              type="button"
              className="button"
              aria-pressed={id === project?.id}
              onClick={() => setChosen(id)}
            >
              {workspace.name} / {name}
            </button>
          ))}
        </nav>
        <span className="spring" />
        {project === undefined ? null : (
          <Members session={session} people={people} workspaceId={project.workspace.id} />
        )}
        <span role="status" className="status" data-status={status}>
          {STATUS[status]}
        </span>
        {me === undefined ? null : (
          <span className="me">
            <Avatar person={me} /> {me.name}
          </span>
        )}
      </header>
      <main>
        {project === undefined ? (
          status === 'loading' ? null : (
            <p className="nothing">
              Nothing is shared with you. When somebody adds you to a workspace, it appears here.
            </p>
          )
        ) : (
          <Board key={project.id} session={session} people={people} projectId={project.id} />
        )}
      </main>
    </>
  )
}
